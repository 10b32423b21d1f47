interface "hub" {}

moved {
  from = module.site["berlin"].module.m[0].peer.hub
  to   = peer.rw["alice"]
}

moved {
  from = module.a
  to   = module.b["x"]
}

removed {
  from = peer.rw["bob"]

  lifecycle {
    destroy = false
  }
}

import {
  to = interface.hub
  id = "wg${1 - 1}"
}
