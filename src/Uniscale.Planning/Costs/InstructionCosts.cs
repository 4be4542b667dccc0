using Uniscale.Configuration;
using Uniscale.Planning.Clusters;

namespace Uniscale.Planning.Costs;

/// <summary>
/// Seconds of every instruction of a layout on a cluster: one cost a kind of instruction. Products take operations / (peak · share), and
/// what they and the other kernels
/// move takes bytes / (memory bandwidth · share); both are added, which is what thin matrices lose. Collectives inside a pass (tensor and
/// context axes) are part of it.
/// </summary>
public sealed class InstructionCosts
{
    private readonly StepSpecification _spec;
    private readonly ConstantsSection _constants;
    private readonly BlockPasses[] _blocks;
    private readonly long[] _parameters;
    private readonly double _peak;
    private readonly double _attention;
    private readonly double _bandwidth;

    /// <summary>Costs of a layout.</summary>
    /// <param name="spec">The layout.</param>
    /// <param name="cluster">The hardware.</param>
    /// <param name="stack">The software on it.</param>
    public InstructionCosts(StepSpecification spec, Cluster cluster, StackSection stack)
    {
        (_spec, Stack, _constants) = (spec, stack, stack.Constants);
        Links = new LinkTimes(cluster, _constants, stack.ShardsInTurn);
        double beside = SpeedBeside(cluster);
        _peak = cluster.PeakFor(spec.ActivationBytes) * _constants.Matmul * beside;
        _attention = cluster.PeakFor(spec.ActivationBytes) * (_constants.Attention > 0 ? _constants.Attention : _constants.Matmul) * beside;
        _bandwidth = cluster.Needed(cluster.MemoryBandwidth, "chip.memory_bandwidth") * _constants.Memory * beside;
        var groups = RankGroups.Of(spec, 0);
        var (tensor, context) = (Links.PlaceOf(groups.Tensor), Links.PlaceOf(groups.Context));
        _blocks = new BlockPasses[spec.Model.BlockCount];
        _parameters = new long[_blocks.Length];
        var known = new Dictionary<(int Kind, RecomputeKind), BlockPasses>();
        for (int block = 0; block < _blocks.Length; block++)
        {
            var key = (
                block == 0 ? 0
                : block == spec.Model.Head ? 2
                : 1,
                spec.RecomputationOf(block)
            );
            if (!known.TryGetValue(key, out var passes))
                known[key] = passes = Price(BlockWork.Of(spec, stack, block), tensor, context);
            _blocks[block] = passes;
            _parameters[block] = ParameterCount.OfBlock(spec, block);
        }
    }

    /// <summary>Passes of one block.</summary>
    private readonly record struct BlockPasses(PassSeconds Forward, PassSeconds BackwardInput, PassSeconds BackwardWeight)
    {
        public PassSeconds Backward { get; } = WithOneOverhead(BackwardInput, BackwardWeight);

        private static PassSeconds WithOneOverhead(PassSeconds input, PassSeconds weight)
        {
            var both = input + weight;
            return both with { Overhead = Math.Max(input.Overhead, weight.Overhead) };
        }
    }

    /// <summary>The software.</summary>
    public StackSection Stack { get; }

    /// <summary>Communication.</summary>
    public LinkTimes Links { get; }

    /// <summary>Seconds of a pass, by cause; nothing for what is no pass.</summary>
    public PassSeconds Of(Instruction at) =>
        at.Op switch
        {
            Op.Forward => _blocks[at.Block].Forward,
            Op.Backward => _blocks[at.Block].Backward,
            Op.BackwardInput => _blocks[at.Block].BackwardInput,
            Op.BackwardWeight => _blocks[at.Block].BackwardWeight,
            _ => default,
        };

    /// <summary>
    /// Seconds of the optimizer over what a rank owns of a block: gradient, master weight and two moments read, the last three written, the
    /// parameter written.
    /// </summary>
    public double Update(int block)
    {
        double owned = (double)_parameters[block] / (_spec.Sharding >= 1 ? _spec.ZeroGroup : 1);
        double bytes =
            _spec.ActivationBytes == sizeof(float) ? 6 * sizeof(float) + sizeof(float) : 7 * sizeof(float) + _spec.ActivationBytes;
        return owned * bytes / _bandwidth;
    }

    /// <summary>Seconds of a kernel that reads so many bytes and is bound by that.</summary>
    public double Read(double bytes) => bytes / _bandwidth;

    /// <summary>Bytes of the tensor between two stages that one rank sends.</summary>
    public double BoundaryBytes
    {
        get
        {
            double whole =
                (double)_spec.MicrobatchSize * _spec.Model.Context / _spec.Mesh.Context * _spec.Model.Hidden * _spec.ActivationBytes;
            return _spec.SequenceParallel || Stack.SplitSends ? whole / _spec.Mesh.Tensor : whole;
        }
    }

    /// <summary>
    /// Seconds of the reduction of a block's gradients: reduce-scatter over the shards where there are any, all-reduce of the rest over the
    /// replicas of the shard.
    /// </summary>
    /// <param name="block">The block.</param>
    /// <param name="withReplicas">Whether the all-reduce over the replicas of the shard follows now.</param>
    /// <param name="shards">Place of <see cref="RankGroups.Shards"/>.</param>
    /// <param name="replicas">Place of <see cref="RankGroups.ShardReplicas"/> (ZeRO-0: of <see cref="RankGroups.Replicas"/>).</param>
    public double Reduce(int block, bool withReplicas, GroupPlace shards, GroupPlace replicas)
    {
        double bytes = (double)_parameters[block] * Stack.GradientBytes;
        if (_spec.Sharding == 0)
            return Links.Of(Collective.AllReduce, bytes, replicas);
        double seconds = Links.Of(Collective.ReduceScatter, bytes, shards);
        return withReplicas ? seconds + Links.Of(Collective.AllReduce, bytes / _spec.ZeroGroup, replicas) : seconds;
    }

    /// <summary>Seconds of gathering a block's parameters over the shards.</summary>
    public double Gather(int block, GroupPlace shards) =>
        Links.Of(Collective.AllGather, (double)_parameters[block] * _spec.ActivationBytes, shards);

    /// <summary>Seconds of the sum of the two copies of a tied matrix.</summary>
    public double ReduceTied(int block, GroupPlace pair) =>
        Links.Of(Collective.AllReduce, (double)_parameters[block] * Stack.GradientBytes, pair);

    /// <summary>
    /// Share of its speed that a rank keeps beside the others of its machine: what it loses to them grows with their number up to
    /// <see cref="ConstantsSection.FullNode"/>.
    /// </summary>
    private double SpeedBeside(Cluster cluster)
    {
        if (_constants.FullNode == 1)
            return 1;
        double others = cluster.Needed(cluster.NodeGpus, "node.gpus") - 1;
        double busy = Math.Min(_spec.Mesh.Size - 1, others);
        return others == 0 ? 1 : 1 / (1 + (1 / _constants.FullNode - 1) * busy / others);
    }

    private BlockPasses Price(BlockWork work, GroupPlace tensor, GroupPlace context) =>
        new(
            Seconds(work.Forward, tensor, context),
            Seconds(work.BackwardInput, tensor, context),
            Seconds(work.BackwardWeight, tensor, context)
        );

    private PassSeconds Seconds(PassWork work, GroupPlace tensor, GroupPlace context)
    {
        if (work == default)
            return default;
        // Bytes of an all-reduce are counted twice in the work, so each exchange is priced as one round over them.
        double talk = Links.Of(Collective.AllGather, work.TensorBytes, tensor);
        double calls = work.TensorCalls > 1 ? (2 * work.TensorCalls - 1) * Links.Of(Collective.AllGather, 1, tensor) : 0;
        double ring = Links.Of(Collective.AllGather, work.ContextBytes, context);
        return new PassSeconds(
            work.ProductFlops / _peak + work.ProductBytes / _bandwidth,
            work.AttentionFlops / _attention,
            work.StreamBytes / _bandwidth,
            talk + calls,
            ring,
            _constants.Overhead
        );
    }
}
