# Varnish in front of jobd. Tested by tests/gateways/smoke with the Varnish of Debian 12.
#
#     varnishd -F -f default.vcl -a 127.0.0.1:8000 -p http_gzip_support=off \
#         -p timeout_idle=60 -p backend_idle_timeout=60 -p idle_send_timeout=75
#
# jobd listens on 127.0.0.1:8080. Nothing is cached: answers depend on who asks, and say so. It is here for sites
# whose traffic passes Varnish anyway. jobd's configuration:
#     trusted_proxies: [127.0.0.1]    # believe X-Forwarded-For from here
#     keepalive_timeout: 75s          # the default: longer than backend_idle_timeout above
vcl 4.1;

backend jobd {
    .host = "127.0.0.1";
    .port = "8080";
    .connect_timeout = 5s;
    # Longer than the longest wait (long_poll_max, 55 s) and the heartbeat of events (15 s).
    .first_byte_timeout = 75s;
    .between_bytes_timeout = 75s;
}

sub vcl_recv {
    # Who asks. What a client says of itself is replaced or removed.
    unset req.http.Forwarded;
    set req.http.X-Forwarded-For = client.ip;
    set req.http.X-Forwarded-Proto = "http";
    # jobd without credentials answers to this machine's names only.
    set req.http.Host = "localhost";
    # Every method, PATCH too, and every body goes on as it comes; a request is sent once.
    return (pass);
}

sub vcl_backend_response {
    # Events and logs are handed on as they come.
    set beresp.do_stream = true;
    return (deliver);
}

sub vcl_deliver {
    unset resp.http.Via;
    unset resp.http.X-Varnish;
    unset resp.http.Age;
}
