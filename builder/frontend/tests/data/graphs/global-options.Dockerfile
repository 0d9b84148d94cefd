# covers: add-hosts, shm-size, ulimit, network mode
# opt: add-hosts=h1=10.0.0.1,h2=::1
# opt: shm-size=67108864
# opt: ulimit=nofile=100:200,core=0
# opt: force-network-mode=host
# opt: hostname=hh
# opt: cgroup-parent=cg
FROM localhost:5000/base:1
RUN a
