locals {
  a = <<EOT
    as   it = is   
  ${b}  ${c}${d}
	%{if e}x%{endif~}
EOT
  long = <<-EOT
   $${ not }  %%{ these }
   ${f({
    g  = 1
    hi = 2
  }, -3)}
   EOT
  j = 4
  k = [
    <<EOT
in a list
EOT
    ,
    5,
  ]
  l = m(<<EOT
in a call
EOT
  )
  n             = 6
  o             = <<EOT
x
EOT
  a_longer_name = 7
  p = [<<EOT
one
EOT
    , <<EOT
two
EOT
  ]
}
