# Targets of secrets and agents stay relative in the operation, those of trees do not.
# covers: mount target relative
FROM localhost:5000/base:1
WORKDIR /w
RUN --mount=type=secret,target=s.txt --mount=type=ssh,target=agent --mount=type=bind,target=b --mount=type=tmpfs,target=t x
