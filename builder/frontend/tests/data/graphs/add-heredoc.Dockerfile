# covers: ADD heredoc
FROM scratch
ADD <<a <<b /d/
one
a
two $HOME
b
