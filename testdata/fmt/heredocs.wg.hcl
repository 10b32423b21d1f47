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
  n = 6
}
