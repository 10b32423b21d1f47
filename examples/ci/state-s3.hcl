# The state in a bucket. Copy this to state.wg.hcl, name your bucket, and give the jobs credentials for it, as docs/remote-state-stores.md says.

wgform {
  state "s3" {
    bucket = "example-wireguard"
    key    = "wireguard.state.json"
    region = "eu-central-1"
  }
}
