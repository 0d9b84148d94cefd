# covers: RUN heredoc shebang, RUN heredoc interpreter
FROM localhost:5000/base:1
RUN <<EOF
#!/usr/bin/env python3
print("x")
EOF
RUN python3 <<EOF
print('y')
EOF
