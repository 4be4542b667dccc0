using Uniscale.Engine.Buckets;
using Uniscale.Engine.Devices;
using Uniscale.Engine.Mesh;
using Uniscale.Engine.Model;
using Uniscale.Programs;
using static TorchSharp.torch;

namespace Uniscale.Engine.Execution;

/// <summary>The part of the model that a rank holds, with what it needs to run it.</summary>
public sealed class RankState : IDisposable
{
    private readonly bool _ownsLink;

    /// <summary>Binds blocks, groups and primitives; the state owns the buckets, and the link unless another model has it.</summary>
    public RankState(
        ProcessGroups groups,
        IParallelOps ops,
        IEnumerable<BlockState> blocks,
        ScalarType activationType,
        HostLink link,
        bool ownsLink = true
    )
    {
        _ownsLink = ownsLink;
        Groups = groups;
        Ops = ops;
        Blocks = blocks.ToDictionary(block => block.Number);
        Buckets = [.. Blocks.Values.OrderBy(block => block.Number).SelectMany(block => block.OwnBuckets)];
        ActivationType = activationType;
        Link = link;
        foreach (var slot in Slots().Where(slot => !slot.Bucket.IsFrozen))
            ops.Sink.Register(slot.Tensor, () => slot.Sum);
    }

    /// <summary>This rank's groups.</summary>
    public ProcessGroups Groups { get; }

    /// <summary>Ranks that hold the same parameters as a bucket of this rank.</summary>
    public ReplicaGroups GroupsOf(Bucket bucket) => bucket.Groups ?? Groups.Common;

    /// <summary>The primitives of the layout.</summary>
    public IParallelOps Ops { get; }

    /// <summary>Blocks of this rank, by number.</summary>
    public IReadOnlyDictionary<int, BlockState> Blocks { get; }

    /// <summary>Type of what flows between blocks.</summary>
    public ScalarType ActivationType { get; }

    /// <summary>Where this rank computes, and how numbers get there and back.</summary>
    public HostLink Link { get; }

    /// <summary>Bytes held between steps.</summary>
    public MemoryAccount Memory => Buckets.Aggregate(default(MemoryAccount), (sum, bucket) => sum + bucket.Memory);

    /// <summary>Buckets of this rank, by block.</summary>
    public IReadOnlyList<Bucket> Buckets { get; }

    /// <summary>
    /// The elements that this rank speaks for, by block: fp32 weights and the gradients that were summed last, flat. Each element of the
    /// model is spoken for by one rank. The tensors are views, and the caller's scope owns them.
    /// </summary>
    public IEnumerable<(int Block, Tensor Weights, Tensor Gradients)> OwnElements()
    {
        foreach (var bucket in Buckets)
        {
            if (bucket.IsFrozen)
                continue;
            var holders = GroupsOf(bucket).ShardReplicas;
            var shard = bucket.Layout.Shard;
            var own = shard.Part(holders.Rank, holders.Size);
            foreach (var placed in bucket.Layout.Parameters)
            {
                var part = placed.Real.Intersect(own);
                if (!placed.Parameter.IsOwner || part.Count == 0)
                    continue;
                long start = part.Start - shard.Start;
                yield return (bucket.Block, bucket.Master.narrow(0, start, part.Count), bucket.GradientShard.narrow(0, start, part.Count));
            }
        }
    }

    /// <summary>Room for what flows between blocks: [batch, this rank's part of the sequence, hidden]; the caller owns it.</summary>
    internal Tensor EmptyActivation(StepSpecification specification)
    {
        var mesh = specification.Mesh;
        int sequence = specification.Model.Context / mesh.Context / (specification.SequenceParallel ? mesh.Tensor : 1);
        return empty([specification.MicrobatchSize, sequence, specification.Model.Hidden], ActivationType, Link.Device)
            .DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var slot in Slots())
            Ops.Sink.Remove(slot.Tensor);
        foreach (var bucket in Buckets)
            bucket.Dispose();
        if (_ownsLink)
            Link.Dispose();
    }

    private IEnumerable<ParameterSlot> Slots() => Blocks.Values.SelectMany(block => block.Slots).Distinct();
}
