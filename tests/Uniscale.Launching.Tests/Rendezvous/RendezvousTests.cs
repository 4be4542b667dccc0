using System.Net;
using System.Net.Sockets;
using System.Text;
using Uniscale.Configuration;
using Uniscale.Launching.Rendezvous;

namespace Uniscale.Launching.Tests.Rendezvous;

/// <summary>Nodes whose processes others start meet over TCP, and the first has commands run on them as mpirun has by ssh.</summary>
public sealed class RendezvousTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly int _port = FreePort();
    private readonly List<string> _said = [];

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    private RendezvousServer Serve(int nodes) => new(new RendezvousPlace("localhost", _port, 0, nodes), "build 1");

    private Task<int> Join(int node, int nodes, string? host = null, string build = "build 1") =>
        Task.Factory.StartNew(
            () => new RendezvousNode(new RendezvousPlace("localhost", _port, node, nodes), build, Say, host ?? $"pod-{node}").Run(Limit),
            TaskCreationOptions.LongRunning
        );

    private void Say(string sentence)
    {
        lock (_said)
            _said.Add(sentence);
    }

    private static (int Code, string Output, string Error) RunOn(RendezvousServer server, params string[] words)
    {
        using var output = new MemoryStream();
        using var error = new MemoryStream();
        int code = RemoteShell.Run(words, server.SocketPath, output, error);
        return (code, Encoding.UTF8.GetString(output.ToArray()), Encoding.UTF8.GetString(error.ToArray()));
    }

    [Fact]
    public async Task CommandsRunOnTheNodesThatHaveComeAndTheJobsEndIsTheirs()
    {
        using var server = Serve(nodes: 3);
        Task<int>[] nodes = [Join(2, 3), Join(1, 3)];
        string hosts = server.WaitForAll(Limit, slots: 2);
        Assert.Equal([$"{Environment.MachineName} slots=2", "pod-1 slots=2", "pod-2 slots=2"], File.ReadAllLines(hosts));
        Assert.Equal((3, "out 6\n", "bad\n"), RunOn(server, "-x", "pod-2", "echo", "out $((2*3));", "echo bad >&2;", "exit 3"));
        Assert.Equal(255, RunOn(server, "pod-7", "true").Code);

        // What has left its shell, as mpirun's daemons do, ends with the job too.
        string mark = Path.GetTempFileName();
        Assert.Equal(0, RunOn(server, "pod-1", $"(sleep 60; echo late >{mark}) >/dev/null 2>&1 & echo $! >{mark}").Code);
        int left = int.Parse(File.ReadAllText(mark));
        Assert.True(Directory.Exists($"/proc/{left}"));
        server.End(5);
        int[] codes = await Task.WhenAll(nodes);
        Assert.Equal([5, 5], codes);
        Assert.True(SpinWait.SpinUntil(() => !Directory.Exists($"/proc/{left}"), TimeSpan.FromSeconds(5)));
        File.Delete(mark);
        Assert.Empty(_said);
    }

    /// <summary>Daemons of Open MPI look for it on hosts that do not share a /tmp with the first.</summary>
    [Theory]
    [InlineData("/opt/uniscale/uniscale", "/opt/uniscale/uniscale launch-on")]
    [InlineData("dotnet;/opt/uniscale.dll", "dotnet /opt/uniscale.dll launch-on")]
    [InlineData("/opt/my programs/uniscale", "/tmp/x/remote-shell")]
    public void TheRemoteShellIsWhatEveryHostHas(string executable, string agent) =>
        Assert.Equal(agent, RendezvousServer.AgentOf(executable.Split(';'), "/tmp/x/remote-shell"));

    [Fact]
    public async Task ANodeThatIsMissingOrGoneIsNamed()
    {
        var server = Serve(nodes: 4);
        var node = Join(2, 4);
        Assert.Contains(
            $"2 of 4 nodes have not come to tcp://localhost:{_port} within 1 s (--start-seconds): nodes 1, 3.",
            Assert.Throws<UserErrorException>(() => server.WaitForAll(TimeSpan.FromSeconds(1), slots: 1)).Message
        );
        server.Dispose();
        Assert.Equal(1, await node);
        Assert.Contains("node 0 at localhost is gone", Assert.Single(_said));
    }

    [Theory]
    [InlineData(1, "pod-1", "build 2", "node 1 (pod-1) has build build 2 of uniscale, node 0 has build 1: give all nodes the same.")]
    [InlineData(5, "pod-5", "build 1", "pod-5 says that it is node 5 of 3: give every node a number of its own from 0 to 2.")]
    public async Task ANodeThatDoesNotFitIsRefusedOnBothSides(int number, string host, string build, string sentence)
    {
        using var server = Serve(nodes: 3);
        var node = Join(number, 3, host, build);
        Assert.Equal(sentence, Assert.Throws<UserErrorException>(() => server.WaitForAll(Limit, slots: 1)).Message);
        Assert.Equal(2, await node);
        Assert.Equal($"uniscale: {sentence}", Assert.Single(_said));
    }

    [Fact]
    public void WhatIsNoNodeIsLeftAlone()
    {
        using var server = Serve(nodes: 2);
        foreach (string words in (string[])["GET / HTTP/1.1\r\n\r\n", "{}\n", "null\n", new string('x', 1 << 16)])
        {
            using var client = new TcpClient("localhost", _port);
            client.GetStream().Write(Encoding.ASCII.GetBytes(words));
        }
        _ = Join(1, 2);
        server.WaitForAll(Limit, slots: 1);
        server.End(0);
    }

    [Theory]
    [InlineData("tcp://pod-0:4000", 1, 2, "pod-0:4000 1/2")]
    [InlineData("tcp://pod-0", null, null, "pod-0:29400 2/4", "RANK=2", "WORLD_SIZE=4")]
    [InlineData(null, null, null, "m:23456 1/3", "MASTER_ADDR=m", "MASTER_PORT=23456", "RANK=1", "WORLD_SIZE=3")]
    [InlineData(null, null, null, "m:29400 0/2", "MASTER_ADDR=m", "PET_NODE_RANK=0", "PET_NNODES=2", "RANK=0", "WORLD_SIZE=16")]
    [InlineData(null, null, null, null)]
    [InlineData(null, null, null, null, "MASTER_ADDR=m", "RANK=0", "WORLD_SIZE=1")]
    [InlineData("pod-0:4000", 0, 2, "write tcp://HOST:PORT")]
    [InlineData("tcp://pod-0", 2, 2, "needs this node's number from 0 to 1, not 2")]
    [InlineData("tcp://pod-0", 0, null, "needs the number of nodes")]
    [InlineData(null, null, null, "MASTER_PORT=x is no port", "MASTER_ADDR=m", "MASTER_PORT=x", "RANK=0", "WORLD_SIZE=2")]
    [InlineData(null, null, null, "WORLD_SIZE=many is no number", "MASTER_ADDR=m", "RANK=0", "WORLD_SIZE=many")]
    public void ThePlaceIsThatOfTheOptionsOrOfTheEnvironment(
        string? address,
        int? node,
        int? nodes,
        string? expected,
        params string[] variables
    )
    {
        var environment = variables.Select(text => text.Split('=')).ToDictionary(pair => pair[0], pair => pair[1]);
        string? found;
        try
        {
            found = RendezvousPlace.Of(address, node, nodes, environment) is { } place
                ? $"{place.Host}:{place.Port} {place.Node}/{place.Nodes}"
                : null;
        }
        catch (UserErrorException refusal)
        {
            found = refusal.Message;
        }
        Assert.Equal(expected is null, found is null);
        Assert.Contains(expected ?? "", found ?? "");
    }
}
