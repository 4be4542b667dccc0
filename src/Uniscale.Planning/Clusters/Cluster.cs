using Uniscale.Configuration;
using Uniscale.Configuration.Schema;

namespace Uniscale.Planning.Clusters;

/// <summary>Figures of a cluster as numbers. What a prediction needs and the file does not know is refused when it is asked for.</summary>
public sealed class Cluster
{
    /// <summary>Figures that are added; all others divide.</summary>
    private static readonly string[] MayBeZero =
    [
        "node.link_latency",
        "fabric.latency",
        "process.context",
        "process.workspace",
        "process.fragmentation",
        "price.gpu_hour",
    ];

    private readonly string _place;

    /// <summary>Reads the figures.</summary>
    /// <param name="file">The cluster.</param>
    /// <param name="place">Its file, for messages.</param>
    /// <exception cref="UserErrorException">A figure is no number, or has no source.</exception>
    public Cluster(ClusterFile file, string place)
    {
        (File, _place) = (file, place);
        var (chip, node, fabric) = (file.Chip, file.Node, file.Fabric);
        PeakBf16 = Read(chip.PeakBf16, Unit.Flops, "chip.peak_bf16");
        PeakFp32 = Read(chip.PeakFp32, Unit.Flops, "chip.peak_fp32");
        MemoryBytes = Read(chip.Memory, Unit.Bytes, "chip.memory");
        MemoryBandwidth = Read(chip.MemoryBandwidth, Unit.Bytes, "chip.memory_bandwidth");
        NodeGpus = Read(node.Gpus, Unit.Tokens, "node.gpus");
        LinkBandwidth = Read(node.LinkBandwidth, Unit.Bytes, "node.link_bandwidth");
        LinkLatency = Read(node.LinkLatency, Unit.Duration, "node.link_latency");
        double? nics = Read(node.Nics, Unit.Tokens, "node.nics"),
            nic = Read(node.NicBandwidth, Unit.Bytes, "node.nic_bandwidth");
        NicBandwidthOfGpu = nics * nic / NodeGpus;
        Gpus = Read(fabric.Gpus, Unit.Tokens, "fabric.gpus");
        FabricLatency = Read(fabric.Latency, Unit.Duration, "fabric.latency");
        PodGpus = Read(fabric.PodGpus, Unit.Tokens, "fabric.pod_gpus");
        Oversubscription = Read(fabric.Oversubscription, Unit.Tokens, "fabric.oversubscription");
        ContextBytes = Read(file.Process.Context, Unit.Bytes, "process.context");
        WorkspaceBytes = Read(file.Process.Workspace, Unit.Bytes, "process.workspace");
        Fragmentation = Read(file.Process.Fragmentation, Unit.Tokens, "process.fragmentation");
        Margin = Read(file.Process.Margin, Unit.Tokens, "process.margin") ?? 0;
        GpuHourPrice = Read(file.Price.GpuHour, Unit.Tokens, "price.gpu_hour");
        StorageWrite = Read(file.Storage.WriteBandwidth, Unit.Bytes, "storage.write_bandwidth");
        StorageRead = Read(file.Storage.ReadBandwidth, Unit.Bytes, "storage.read_bandwidth");
        Staging = Read(file.Storage.StagingBandwidth, Unit.Bytes, "storage.staging_bandwidth");
    }

    /// <summary>What was read.</summary>
    public ClusterFile File { get; }

    /// <summary>Name of the cluster.</summary>
    public string Name => File.Name;

    /// <summary>Dense bf16 peak of a rank, FLOP/s.</summary>
    public double? PeakBf16 { get; }

    /// <summary>Dense fp32 peak of a rank, FLOP/s.</summary>
    public double? PeakFp32 { get; }

    /// <summary>Memory of a rank, bytes.</summary>
    public double? MemoryBytes { get; }

    /// <summary>Memory bandwidth of a rank, bytes/s.</summary>
    public double? MemoryBandwidth { get; }

    /// <summary>Ranks of a machine.</summary>
    public double? NodeGpus { get; }

    /// <summary>Bandwidth between ranks of a machine, one way, bytes/s.</summary>
    public double? LinkBandwidth { get; }

    /// <summary>Latency inside a machine, seconds.</summary>
    public double? LinkLatency { get; }

    /// <summary>Share of the machine's network interfaces that one rank has, bytes/s.</summary>
    public double? NicBandwidthOfGpu { get; }

    /// <summary>Ranks there are.</summary>
    public double? Gpus { get; }

    /// <summary>Latency between machines, seconds.</summary>
    public double? FabricLatency { get; }

    /// <summary>Ranks of a pod.</summary>
    public double? PodGpus { get; }

    /// <summary>How many times less bandwidth there is between pods.</summary>
    public double? Oversubscription { get; }

    /// <summary>Context, libraries and communicators of a rank, bytes.</summary>
    public double? ContextBytes { get; }

    /// <summary>Scratch memory of kernels, bytes.</summary>
    public double? WorkspaceBytes { get; }

    /// <summary>Share by which the allocator's memory is larger than what is in use.</summary>
    public double? Fragmentation { get; }

    /// <summary>Share that predictions of host memory stay above what the figures say.</summary>
    public double Margin { get; }

    /// <summary>Money for an hour of a rank.</summary>
    public double? GpuHourPrice { get; }

    /// <summary>Bytes/s written by the whole job.</summary>
    public double? StorageWrite { get; }

    /// <summary>Bytes/s read by the whole job.</summary>
    public double? StorageRead { get; }

    /// <summary>Bytes/s at which one rank copies its state to a staging buffer.</summary>
    public double? Staging { get; }

    /// <summary>A figure that a prediction cannot do without.</summary>
    /// <exception cref="UserErrorException">It is unknown.</exception>
    public double Needed(double? figure, string key) =>
        figure ?? throw new UserErrorException($"{_place}: {key} is unknown, and this prediction needs it: give its value with a source.");

    /// <summary>The stack of a name; empty: the first.</summary>
    /// <exception cref="UserErrorException">There is none.</exception>
    public StackSection StackOf(string name)
    {
        if (File.Stacks.Count == 0)
            throw new UserErrorException($"{_place} describes no software: add a stack with constants.");
        var stack = name.Length == 0 ? File.Stacks[0] : Find(name);
        return stack.ConstantsOf.Length == 0 ? stack : stack with { Constants = Find(stack.ConstantsOf).Constants };
    }

    private StackSection Find(string name) =>
        File.Stacks.FirstOrDefault(stack => stack.Name == name)
        ?? throw new UserErrorException($"{_place} has no stack '{name}'{Names.Hint(name, [.. File.Stacks.Select(stack => stack.Name)])}");

    /// <summary>Dense peak for elements of a size, FLOP/s.</summary>
    public double PeakFor(int elementBytes) => elementBytes == 2 ? Needed(PeakBf16, "chip.peak_bf16") : Needed(PeakFp32, "chip.peak_fp32");

    private double? Read(Figure figure, Unit unit, string key)
    {
        double? value = figure.Read(unit, $"{_place}: {key}");
        return value != 0 || MayBeZero.Contains(key)
            ? value
            : throw new UserErrorException(
                $"{_place}: {key}.value is 0, by which a prediction would be divided: write a number above 0, or '{Figure.Unknown}'."
            );
    }
}
