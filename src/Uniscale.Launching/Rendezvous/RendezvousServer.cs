using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Uniscale.Configuration;
using Uniscale.Launching.Processes;
using Uniscale.Launching.Ranks;

namespace Uniscale.Launching.Rendezvous;

/// <summary>
/// The first node: waits for the others and takes the place of a remote shell for mpirun, whose commands it has run by the nodes that have
/// come. A node that went away may come again.
/// </summary>
public sealed class RendezvousServer : IDisposable
{
    /// <summary>Tells <see cref="RemoteShell"/> where.</summary>
    internal const string Variable = "UNISCALE_RENDEZVOUS_SOCKET";

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);

    private readonly RendezvousPlace _place;
    private readonly string _build;
    private readonly TcpListener _listener;
    private readonly Socket _local;
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-rendezvous-").FullName;
    private readonly Lock _gate = new();
    private readonly Dictionary<int, NodeLink> _nodes = [];
    private readonly Dictionary<int, (string Host, Action<RendezvousLine> Hears)> _commands = [];
    private string? _problem;
    private int _lastCommand;

    /// <summary>Begins to listen.</summary>
    /// <param name="place">Place of the first node.</param>
    /// <param name="build">This build of Uniscale.</param>
    /// <exception cref="UserErrorException">The port is taken.</exception>
    public RendezvousServer(RendezvousPlace place, string build)
    {
        (_place, _build) = (place, build);
        _listener = new TcpListener(Socket.OSSupportsIPv6 ? IPAddress.IPv6Any : IPAddress.Any, place.Port);
        if (Socket.OSSupportsIPv6)
            _listener.Server.DualMode = true;
        try
        {
            _listener.Start();
        }
        catch (SocketException failure)
        {
            Directory.Delete(_folder, recursive: true);
            throw new UserErrorException(
                $"Node 0 cannot listen on port {place.Port} ({failure.Message}): end what has it, or give --rendezvous another port on all nodes.",
                failure
            );
        }
        _local = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        _local.Bind(new UnixDomainSocketEndPoint(SocketPath));
        _local.Listen();
        // Once it is disposed, the listener makes another socket for whoever asks for it.
        var server = _listener.Server;
        Background(() => AcceptNodes(server));
        Background(AcceptCommands);
    }

    /// <summary>A node was asked to end.</summary>
    public event Action? Asked;

    /// <summary>Where <see cref="RemoteShell"/> finds this process.</summary>
    internal string SocketPath => Path.Combine(_folder, "socket");

    /// <summary>Waits until all nodes have come.</summary>
    /// <param name="limit">For how long.</param>
    /// <param name="slots">Ranks of a host.</param>
    /// <returns>A host file of all.</returns>
    /// <exception cref="UserErrorException">Some have not come, or do not fit; it names them.</exception>
    public string WaitForAll(TimeSpan limit, int slots)
    {
        for (long start = Stopwatch.GetTimestamp(); ; Thread.Sleep(Poll))
        {
            int[] missing;
            lock (_gate)
            {
                if (_problem is not null)
                    throw new UserErrorException(_problem);
                missing = [.. Enumerable.Range(1, _place.Nodes - 1).Where(node => !_nodes.ContainsKey(node))];
            }
            if (missing.Length == 0)
                break;
            if (Stopwatch.GetElapsedTime(start) > limit)
                throw new UserErrorException(
                    $"{missing.Length} of {_place.Nodes} nodes have not come to tcp://{_place.Host}:{_place.Port} within {limit.TotalSeconds:0} s (--start-seconds): {RankNames.Of(missing).Replace("rank", "node", StringComparison.Ordinal)}."
                );
        }
        string file = Path.Combine(_folder, "hosts");
        string[] hosts;
        lock (_gate)
            hosts = [Environment.MachineName, .. _nodes.OrderBy(node => node.Key).Select(node => node.Value.Host)];
        File.WriteAllLines(file, hosts.Select(host => string.Create(CultureInfo.InvariantCulture, $"{host} slots={slots}")));
        return file;
    }

    /// <summary>Has mpirun start its daemons by this process: sets variables of it, which every mpirun reads.</summary>
    /// <param name="executable">This program, as a shell calls it.</param>
    public void BecomeRemoteShell(IReadOnlyList<string> executable)
    {
        string shell = Path.Combine(_folder, "remote-shell");
        File.WriteAllText(
            shell,
            $"#!/bin/sh\nexec {string.Join(' ', executable.Select(word => $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'"))} {RemoteShell.Command} \"$@\"\n"
        );
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(shell, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        string agent = AgentOf(executable, shell);
        foreach (
            var (name, value) in (ReadOnlySpan<(string, string)>)
                [
                    (Variable, SocketPath),
                    ("OMPI_MCA_plm_rsh_agent", agent),
                    ("OMPI_MCA_plm_rsh_no_tree_spawn", "1"),
                    ("PRTE_MCA_plm_ssh_agent", agent),
                    ("PRTE_MCA_plm_ssh_no_tree_spawn", "1"),
                    ("HYDRA_LAUNCHER", "ssh"),
                    ("HYDRA_LAUNCHER_EXEC", shell),
                ]
        )
            Environment.SetEnvironmentVariable(name, value);
    }

    /// <summary>
    /// Open MPI hands its remote shell on to the daemons, each of which wants to find it on its own host, so it is what stands at the same
    /// place on all: this program. Only a path that Open MPI would take apart is hidden in a script of this host.
    /// </summary>
    internal static string AgentOf(IReadOnlyList<string> executable, string script) =>
        executable.Any(word => word.Any(letter => char.IsWhiteSpace(letter) || letter == ':'))
            ? script
            : string.Join(' ', [.. executable, RemoteShell.Command]);

    /// <summary>Tells all nodes that the job is over.</summary>
    /// <param name="code">Its exit code, which becomes theirs.</param>
    public void End(int code)
    {
        NodeLink[] nodes;
        lock (_gate)
            nodes = [.. _nodes.Values];
        foreach (var node in nodes)
            Tell(node.Stream, new RendezvousLine { Kind = RendezvousLine.End, Code = code });
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _listener.Dispose();
        _local.Dispose();
        lock (_gate)
            foreach (var node in _nodes.Values)
                node.Client.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private sealed record NodeLink(string Host, TcpClient Client, Stream Stream);

    private static void Background(Action body) => new Thread(() => body()) { IsBackground = true }.Start();

    private void AcceptNodes(Socket server)
    {
        while (Accepted(server) is { } socket)
        {
            var client = new TcpClient { Client = socket };
            RendezvousLine.KeepAlive(client.Client);
            Background(() => HearNode(client));
        }
    }

    private void AcceptCommands()
    {
        while (Accepted(_local) is { } socket)
            Background(() => HearCommand(new NetworkStream(socket, ownsSocket: true)));
    }

    private static Socket? Accepted(Socket listener)
    {
        try
        {
            return listener.Accept();
        }
        catch (Exception closed) when (closed is SocketException or ObjectDisposedException)
        {
            return null;
        }
    }

    private void HearNode(TcpClient client)
    {
        using (client)
        {
            var stream = client.GetStream();
            NodeLink? link = null;
            int number = 0;
            foreach (var line in RendezvousLine.ReadAll(stream))
            {
                if (link is null)
                {
                    if (line is not { Kind: RendezvousLine.Hello, Host: { } host } || Refused(stream, line))
                        return;
                    number = line.Node;
                    link = new NodeLink(host, client, stream);
                    lock (_gate)
                        _nodes[number] = link;
                    continue;
                }
                if (line.Kind == RendezvousLine.Stop)
                    Asked?.Invoke();
                else
                    Find(line.Id)?.Invoke(line);
            }
            Lose(number, link);
        }
    }

    private Action<RendezvousLine>? Find(int command)
    {
        lock (_gate)
            return _commands.GetValueOrDefault(command).Hears;
    }

    private void Lose(int number, NodeLink? link)
    {
        Action<RendezvousLine>[] waiting;
        lock (_gate)
        {
            if (link is null || _nodes.GetValueOrDefault(number) != link)
                return;
            _nodes.Remove(number);
            waiting = [.. _commands.Values.Where(command => command.Host == link.Host).Select(command => command.Hears)];
        }
        foreach (var hears in waiting)
            hears(new RendezvousLine { Kind = RendezvousLine.Exit, Code = 255 });
    }

    private string? Refusal(RendezvousLine hello)
    {
        if (hello.Build != _build)
            return $"node {hello.Node} ({hello.Host}) has build {hello.Build} of uniscale, node 0 has {_build}: give all nodes the same.";
        if (hello.Node < 1 || hello.Node >= _place.Nodes)
            return $"{hello.Host} says that it is node {hello.Node} of {_place.Nodes}: give every node a number of its own from 0 to {_place.Nodes - 1}.";
        lock (_gate)
            return _nodes.TryGetValue(hello.Node, out var other) && other.Host != hello.Host
                ? $"{hello.Host} and {other.Host} both say that they are node {hello.Node}: give every node a number of its own."
                : null;
    }

    private bool Refused(Stream stream, RendezvousLine hello)
    {
        if (Refusal(hello) is not { } refusal)
            return false;
        lock (_gate)
            _problem ??= refusal;
        Tell(
            stream,
            new RendezvousLine
            {
                Kind = RendezvousLine.End,
                Text = refusal,
                Code = 2,
            }
        );
        return true;
    }

    // A shell that mpirun has started on this host wants a command run on another.
    private void HearCommand(Stream shell)
    {
        using (shell)
        {
            if (RendezvousLine.ReadAll(shell).FirstOrDefault() is not { Kind: RendezvousLine.Run, Host: { } host, Text: { } command })
                return;
            using var ended = new ManualResetEventSlim();
            NodeLink? node;
            int id;
            lock (_gate)
            {
                node = _nodes.Values.FirstOrDefault(known => HostFile.IsSame(known.Host, host));
                id = ++_lastCommand;
                if (node is not null)
                    _commands[id] = (node.Host, Hears);
            }
            if (node is null)
            {
                byte[] words = System.Text.Encoding.UTF8.GetBytes($"uniscale: node {host} has left the rendezvous\n");
                Tell(
                    shell,
                    new RendezvousLine
                    {
                        Kind = RendezvousLine.Output,
                        Bytes = words,
                        IsError = true,
                    }
                );
                Tell(shell, new RendezvousLine { Kind = RendezvousLine.Exit, Code = 255 });
                return;
            }
            Tell(
                node.Stream,
                new RendezvousLine
                {
                    Kind = RendezvousLine.Run,
                    Id = id,
                    Text = command,
                }
            );
            ended.Wait();
            lock (_gate)
                _commands.Remove(id);

            void Hears(RendezvousLine line)
            {
                Tell(shell, line);
                if (line.Kind == RendezvousLine.Exit)
                    ended.Set();
            }
        }
    }

    private static void Tell(Stream stream, RendezvousLine line)
    {
        try
        {
            line.WriteTo(stream);
        }
        catch (Exception gone) when (gone is IOException or ObjectDisposedException)
        {
            // Who reads this connection notices that it is gone.
        }
    }
}
