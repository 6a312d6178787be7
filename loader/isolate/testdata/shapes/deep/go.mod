module example.com/deep

go 1.26

require example.com/oldlang v1.0.0

replace example.com/oldlang => ./oldlang
