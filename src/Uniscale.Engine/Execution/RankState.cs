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
    /// <summary>Binds blocks, groups and primitives; the state owns the buckets.</summary>
    public RankState(ProcessGroups groups, IParallelOps ops, IEnumerable<BlockState> blocks, ScalarType activationType, HostLink link)
    {
        Groups = groups;
        Ops = ops;
        Blocks = blocks.ToDictionary(block => block.Number);
        ActivationType = activationType;
        Link = link;
        var sink = new GradientSink();
        foreach (var slot in Blocks.Values.SelectMany(block => block.Slots).DistinctBy(slot => (slot.Bucket.Block, slot.Index)))
            sink.Register(slot.Tensor, () => slot.Sum);
        ops.Sink = sink;
    }

    /// <summary>This rank's groups.</summary>
    public ProcessGroups Groups { get; }

    /// <summary>The primitives of the layout.</summary>
    public IParallelOps Ops { get; }

    /// <summary>Blocks of this rank, by number.</summary>
    public IReadOnlyDictionary<int, BlockState> Blocks { get; }

    /// <summary>Type of what flows between blocks.</summary>
    public ScalarType ActivationType { get; }

    /// <summary>Where this rank computes, and how numbers get there and back; the state owns it.</summary>
    public HostLink Link { get; }

    /// <summary>Bytes held between steps.</summary>
    public MemoryAccount Memory => Blocks.Values.Aggregate(default(MemoryAccount), (sum, block) => sum + block.Bucket.Memory);

    /// <summary>Room for what flows between blocks: [batch, this rank's part of the sequence, hidden]; the caller owns it.</summary>
    internal Tensor EmptyActivation(StepSpecification specification)
    {
        var mesh = specification.Mesh;
        int sequence = specification.Model.Context / mesh.Context / (specification.SequenceParallel ? mesh.Tensor : 1);
        return empty([specification.MicrobatchSize, sequence, specification.Model.Hidden], ActivationType, Link.Device).DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Ops.Sink = null;
        foreach (var block in Blocks.Values) block.Bucket.Dispose();
        Link.Dispose();
    }
}
