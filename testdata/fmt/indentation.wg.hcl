interface "a" {
  addresses = [
    "10.0.0.1/24",
    "fd00::1/64",
  ]
  on_destroy {
    keep = true
  }
}
locals {
  a = [[
    1
  ]]
  b = [[
    [
      2
    ],
  ]]
  c = [{
    x = 1
    }, {
    y = 2
  }]
  d = f(g(
    3,
    ), [
    4
  ])
  e = [
    [[
      5
    ]],
  ]
  f = (
    a
    + b
    - c
  )
  g = [[
    [
      6
    ]]
  ]
  h = [for x in y : {
    z = x
  } if (x != null)]
}
