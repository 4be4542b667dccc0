using Uniscale.Planning.Clusters;

namespace Uniscale.Planning.Memory;

/// <summary>Which bytes of a process are asked for.</summary>
public enum HostBytes
{
    /// <summary>What no allocator can do without: less than this does not run.</summary>
    Least,

    /// <summary>What the process is expected to have at its peak, what freed tensors leave unused included.</summary>
    Expected,
}

/// <summary>
/// Host memory of processes in which Uniscale itself trains on CPUs: the account of each rank, and what this engine holds besides. Weights
/// are packed once for the
/// forward and once for the backward product (docs/explanation/performance.md; not where ZeRO-3 moves them), a save behind training has its
/// buffer from the start (decision 0062), and
/// freed tensors stay with the process, by which those that come and go within passes take <see cref="Cluster.Fragmentation"/> more than
/// are alive.
/// </summary>
/// <param name="spec">The layout.</param>
/// <param name="cluster">What a process takes besides.</param>
/// <param name="savesBehind">Whether checkpoints are written behind training.</param>
/// <param name="threads">Whether the ranks of a machine are threads of one process, which share what ZeRO-3 gathers.</param>
public sealed class HostAccount(StepSpecification spec, Cluster cluster, bool savesBehind, bool threads)
{
    private const string Source = "docs/benchmarks/planner_2026-11-29.md, this machine";

    private const string Gathered = "gathered parameters, unreduced gradients",
        Logits = "logits of the head",
        Between = "tensors between and within passes";

    /// <summary>
    /// What a process of MPI has besides, and what the allocator's sizes round up at most (docs/explanation/performance.md).
    /// </summary>
    private const double MessagePassingBytes = 28 << 20,
        RoundedUp = 1.0 / 8;

    private readonly ProgramGenerator _generator = new(spec);
    private readonly StagePartition _partition = StagePartition.Of(spec);
    private readonly StepSpecification _score = MemoryPlan.Scoring(spec);
    private readonly Dictionary<int, RankMemory> _stages = [];

    /// <summary>Figures of a process where nobody has calibrated: those of the machine that the project measures on.</summary>
    public static Cluster Uncalibrated { get; } =
        new(
            new ClusterFile
            {
                Name = "not calibrated",
                Process = new ProcessSection
                {
                    Context = new Figure { Value = "230MB", Source = Source },
                    Workspace = new Figure { Value = "36MB", Source = Source },
                    Fragmentation = new Figure { Value = "0.36", Source = Source },
                },
            },
            "not calibrated"
        );

    /// <summary>Account of a rank, part by part; ranks of a stage have the same.</summary>
    public RankMemory Of(int rank)
    {
        int stage = spec.Mesh.CoordinateOf(rank).Pipeline;
        return _stages.TryGetValue(stage, out var known) ? known with { Rank = rank } : _stages[stage] = Make(rank, stage);
    }

    /// <summary>Bytes of the processes that hold so many ranks: what a process takes once, and the rest of each rank.</summary>
    /// <param name="first">World rank of the first.</param>
    /// <param name="count">Ranks.</param>
    /// <param name="which">Least or expected.</param>
    public double Of(int first, int count, HostBytes which = HostBytes.Expected)
    {
        double once = (cluster.ContextBytes ?? 0) + (threads ? 0 : MessagePassingBytes);
        double ranks = Enumerable
            .Range(first, count)
            .Select(Of)
            .Sum(account =>
                account.KnownBytes
                - once
                - (which == HostBytes.Least ? account[RankMemory.Fragmentation] + account[RankMemory.Margin] : 0)
            );
        return ranks + (threads ? once : once * count);
    }

    /// <summary>Expected bytes of the process in which a rank is: all ranks where they are threads, else that one.</summary>
    /// <param name="rank">World rank.</param>
    public double OfProcess(int rank) => threads ? Of(0, spec.Mesh.Size) : Of(rank, 1);

    private RankMemory Make(int rank, int stage)
    {
        var account = RankMemory.Of(spec, _generator.Generate(rank), cluster, Engine);
        int[] blocks = [.. _partition.BlocksOf(stage)];
        double working = blocks.Max(WorkingBytes),
            between = Math.Max(account[Between], blocks.Max(RecomputedBytes));
        // The gradient of bf16 logits lies beside them, that of fp32 logits in their place.
        double logits = account[Logits] * (spec.ActivationBytes == sizeof(float) ? 1 : 1.5);
        double passes = account["activations kept"] + logits + between + working,
            drawing = DrawingBytes(account, blocks);
        var counted = account with
        {
            Parts =
            [
                .. account.Parts.Select(part =>
                    part.Name switch
                    {
                        Gathered => part with
                        {
                            Bytes = part.Bytes + ReducedBytes(blocks) - (threads && spec.Sharding == 3 ? GatheredBytes(blocks) : 0),
                        },
                        Logits => part with { Bytes = logits },
                        Between => part with { Bytes = between },
                        RankMemory.Drawing => part with { Bytes = Math.Max(0, drawing - passes) },
                        RankMemory.Context => part with { Bytes = part.Bytes + (threads ? 0 : MessagePassingBytes) },
                        RankMemory.Fragmentation => part with
                        {
                            // What drew answers has other sizes than what passes keep, and neither takes the other's place.
                            Bytes =
                                RoundedUp * account["activations kept"]
                                + cluster.Fragmentation * (logits + between + working)
                                + Math.Min(drawing, passes),
                        },
                        _ => part,
                    }
                ),
                new("gradients within a pass", working),
                new("packed weights", spec.Sharding == 3 ? 0 : blocks.Sum(PackedBytes)),
                new("buffer of a save", savesBehind ? SavedBytes(blocks) : 0),
            ],
        };
        double margin = cluster.Margin * (counted.KnownBytes - counted[RankMemory.Context]);
        return counted with { Parts = [.. counted.Parts, new(RankMemory.Margin, margin)] };
    }

    /// <summary>Our kernels: attention in tiles, fp32 gradients, no dropout.</summary>
    private static StackSection Engine { get; } = new() { Name = "uniscale" };

    /// <summary>
    /// Tensors that exist besides the kept ones while a block goes backward: gradients within the feed-forward layer, or within attention.
    /// </summary>
    private double WorkingBytes(int block)
    {
        if (!spec.Model.IsTransformer(block))
            return 0;
        var m = spec.Model;
        double tokens = (double)spec.MicrobatchSize * m.Context / spec.Mesh.Context,
            tensor = spec.Mesh.Tensor;
        double queries = m.Heads * m.HeadDim / tensor,
            keys = Math.Max(1, m.KvHeads / tensor) * m.HeadDim,
            ffn = m.Ffn / tensor;
        double forward = (m.GatedFfn ? 3 : 1) * ffn,
            attention = 3 * queries + 3 * keys;
        return tokens * (Math.Max(forward, attention) + 2 * m.Hidden) * spec.ActivationBytes;
    }

    /// <summary>
    /// What a block that is computed again has besides its input. Logits are gone then, but their memory waits for others of their size.
    /// </summary>
    private double RecomputedBytes(int block)
    {
        var memory = new ActivationMemory(spec);
        return memory.FullBytes(block) - memory.KeptBytes(block) + memory.BoundaryBytes;
    }

    /// <summary>
    /// Where gradients are sharded two reductions run beside the pass that makes a third block's, and a later one's part is added to the
    /// shard.
    /// </summary>
    private double ReducedBytes(int[] blocks)
    {
        if (spec.Sharding < 2)
            return 0;
        double[] largest =
        [
            .. blocks
                .Where(block => !spec.ReducesOnce(block))
                .Select(block => (double)ParameterCount.OfBlock(spec, block))
                .OrderDescending(),
        ];
        return largest.Length == 0 ? 0 : sizeof(float) * ((largest.Length > 2 ? largest[2] : 0) + largest[0] / spec.ZeroGroup);
    }

    /// <summary>
    /// Both packed copies of a block's matrices, of the critic's too, and of a model that is only read the one of its forward pass; the
    /// embedding has no product.
    /// </summary>
    private double PackedBytes(int block)
    {
        if (block == 0)
            return 0;
        var companions = spec.Companions;
        double copies =
            (2.0 + companions.References) * ParameterCount.OfBlock(spec, block)
            + ((companions.HasCritic ? 2.0 : 0) + companions.Scorers) * ParameterCount.OfBlock(_score, block);
        return copies * spec.ActivationBytes;
    }

    /// <summary>What draws answers packs the weights for itself.</summary>
    private double DrawingBytes(RankMemory account, int[] blocks) =>
        spec.Companions.Drawn == 0
            ? 0
            : account.DrawingBytes
                + blocks.Where(block => block > 0).Sum(block => (double)ParameterCount.OfBlock(spec, block)) * spec.ActivationBytes;

    /// <summary>
    /// Parameters and optimizer state of the rank's stage, the critic's too, of which each replica writes its part, sharded or not.
    /// </summary>
    private double SavedBytes(int[] blocks)
    {
        double critic = spec.Companions.HasCritic ? blocks.Sum(block => (double)ParameterCount.OfBlock(_score, block)) : 0;
        double part = (blocks.Sum(block => (double)ParameterCount.OfBlock(spec, block)) + critic) / spec.ReplicaCount;
        return part * MemoryPlan.CheckpointedBytes(spec);
    }

    /// <summary>Whole parameters of the two largest blocks, as <see cref="MemoryPlan.TransientBytes"/> counts them.</summary>
    private double GatheredBytes(int[] blocks) =>
        blocks.Select(block => (double)ParameterCount.OfBlock(spec, block)).OrderDescending().Take(2).Sum() * spec.ActivationBytes;
}
