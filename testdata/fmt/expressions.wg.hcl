a  = -1
b  = -1 + -2 * (-3)
c  = !d && !e
f  = g ? h : -i
j  = k.l[0].m
n  = o[*].p
q  = r.0.s
t  = u()
v  = w(x, y...)
z  = [1, 2, 3]
aa = []
ab = {}
ac = { a = 1 }
ad = [for k, v in m : k if v]
ae = { for k, v in m : k => v... }
af = [for x in [y] : x if (x > 1)]
ag = provider::f(1)
ah = a == b
ai = a <= b
aj = (a)[0]
ak = 1.5e3
al = a-b-c
am = a - b - c
block "one" two {}
block { a = 1 }
