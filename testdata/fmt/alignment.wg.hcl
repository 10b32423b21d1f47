a      = 1
bungle = 2

long_name = 3
b         = 4
# A comment ends a run.
c = 5


several_blank_lines = 6
stay                = 7
block {
  x      = 1
  longer = 2
}
one_line { a = 1 }
x = 2
multi = [
  3,
]
after_it = 4
y        = 5
object   = { a = 1, bc = 2 }
items = {
  a = 1
  bc : 2
  "quoted" = 3
  (d)      = 4
  nested = {
    e   = 5
    fgh = 6
  }
  i = 7
}
call    = f(a, b == c)
compare = a == b
é       = 1
𝒜𝒜      = 2
ab      = "🇬🇧"
