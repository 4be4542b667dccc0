using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Launching.Ranks;

namespace Uniscale.Launching.Rendezvous;

/// <summary>
/// The place of a node whose processes others start, such as Kubernetes: one process a node, of which the first launches the job.
/// </summary>
/// <param name="Host">Where the first node listens.</param>
/// <param name="Port">On which port.</param>
/// <param name="Node">This node; 0 is the first.</param>
/// <param name="Nodes">All nodes.</param>
public sealed record RendezvousPlace(string Host, int Port, int Node, int Nodes)
{
    private const int DefaultPort = 29400;

    /// <summary>torchrun's names come before those of a PyTorchJob, which counts ranks where a node has several.</summary>
    private static readonly string[] NodeNames = ["PET_NODE_RANK", "NODE_RANK", "RANK"],
        NodesNames = ["PET_NNODES", "NNODES", "WORLD_SIZE"];

    /// <summary>Reads the options of a command, and from the environment of this process what they leave open.</summary>
    /// <inheritdoc cref="Of(string?, int?, int?, IReadOnlyDictionary{string, string})"/>
    public static RendezvousPlace? Of(string? address, int? node, int? nodes) => Of(address, node, nodes, RankEnvironment.AllVariables());

    /// <summary>Reads the options of a command, and from an environment what they leave open.</summary>
    /// <param name="address">tcp://HOST:PORT; null: MASTER_ADDR and MASTER_PORT, if they are set.</param>
    /// <param name="node">This node; null: the environment's.</param>
    /// <param name="nodes">All nodes; null: the environment's.</param>
    /// <param name="environment">All variables.</param>
    /// <returns>Null: nobody has said that there are other nodes.</returns>
    /// <exception cref="UserErrorException">What is said does not fit together.</exception>
    internal static RendezvousPlace? Of(string? address, int? node, int? nodes, IReadOnlyDictionary<string, string> environment)
    {
        nodes ??= Number(environment, NodesNames);
        node ??= Number(environment, NodeNames);
        if (address is null && (!environment.ContainsKey("MASTER_ADDR") || nodes is null or 1 || node is null))
            return null;
        var (host, port) = address is null ? FromEnvironment(environment) : Parse(address);
        if (nodes is not (>= 1 and <= Limits.Ranks))
            throw new UserErrorException(
                $"The rendezvous at {host}:{port} needs the number of nodes: give --nodes, or set WORLD_SIZE as a PyTorchJob does."
            );
        if (node is not { } place || place < 0 || place >= nodes)
            throw new UserErrorException(
                $"The rendezvous at {host}:{port} needs this node's number from 0 to {nodes - 1}{(node is null ? "" : $", not {node}")}: give --node, or set RANK as a PyTorchJob does."
            );
        return new(host, port, place, nodes.Value);
    }

    private static (string Host, int Port) FromEnvironment(IReadOnlyDictionary<string, string> environment)
    {
        string port = environment.GetValueOrDefault("MASTER_PORT", DefaultPort.ToString(CultureInfo.InvariantCulture));
        return int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number is > 0 and < 65536
            ? (environment["MASTER_ADDR"], number)
            : throw new UserErrorException($"MASTER_PORT={port} is no port: it is a number from 1 to 65535.");
    }

    private static (string Host, int Port) Parse(string address) =>
        Uri.TryCreate(address, UriKind.Absolute, out var uri) && uri.Scheme == "tcp" && uri.Host.Length > 0 && uri.AbsolutePath is "" or "/"
            ? (uri.Host, uri.Port > 0 ? uri.Port : DefaultPort)
            : throw new UserErrorException($"--rendezvous {address} is no place to meet: write tcp://HOST:PORT with the host of node 0.");

    private static int? Number(IReadOnlyDictionary<string, string> environment, string[] names)
    {
        foreach (string name in names)
        {
            if (!environment.TryGetValue(name, out string? text) || text.Length == 0)
                continue;
            return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value)
                ? value
                : throw new UserErrorException($"{name}={text} is no number, as a launcher of nodes would set it: unset it, or give --nodes and --node.");
        }
        return null;
    }
}
