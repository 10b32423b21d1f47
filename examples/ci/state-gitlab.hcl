# The state in GitLab's own store for Terraform states. Copy this to state.wg.hcl; gitlab-ci.yml sets the variables that say where it is.

wgform {
  state "http" {}
}
