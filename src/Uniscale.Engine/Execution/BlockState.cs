using Uniscale.Engine.Buckets;
using Uniscale.Engine.Model;
using Uniscale.Kernels;
using static TorchSharp.torch;

namespace Uniscale.Engine.Execution;

/// <summary>A parameter of a block: where it lies. A tied head reads a slot of the embedding's bucket.</summary>
/// <param name="Bucket">Its bucket.</param>
/// <param name="Index">Its place in the bucket.</param>
public readonly record struct ParameterSlot(Bucket Bucket, int Index)
{
    /// <summary>The view that the block takes.</summary>
    public Tensor Tensor => Bucket.Parameters[Index];

    /// <summary>The sum of its gradients, for one who adds to it now.</summary>
    public GradientSum Sum => Bucket.Sum(Index);
}

/// <summary>A block that this rank holds.</summary>
public sealed class BlockState
{
    private readonly Tensor[] _parameters;
    private readonly Tensor[] _inputAndParameters;

    /// <summary>Binds a block to the buffers of its parameters.</summary>
    /// <param name="number">Number in the row.</param>
    /// <param name="block">The mathematics.</param>
    /// <param name="own">Buckets of its own parameters, at least one; may be empty. Several where parts of the block have replicas of their
    /// own.</param>
    /// <param name="slots">Its parameters, in the order in which it takes them.</param>
    public BlockState(int number, Block block, IReadOnlyList<Bucket> own, IReadOnlyList<ParameterSlot> slots)
    {
        Number = number;
        Block = block;
        OwnBuckets = own;
        Slots = slots;
        _parameters = [.. slots.Select(slot => slot.Tensor)];
        _inputAndParameters = [null!, .. _parameters];
        Buckets = [.. slots.Select(slot => slot.Bucket).Concat(own).Distinct()];
    }

    /// <summary>Number in the row.</summary>
    public int Number { get; }

    /// <summary>The mathematics.</summary>
    public Block Block { get; }

    /// <summary>Buffers of the block's own parameters, in the order in which they are reduced, updated and gathered.</summary>
    public IReadOnlyList<Bucket> OwnBuckets { get; }

    /// <summary>The first of them: the only one, unless parts of the block have replicas of their own.</summary>
    public Bucket Bucket => OwnBuckets[0];

    /// <summary>Where each parameter lies.</summary>
    public IReadOnlyList<ParameterSlot> Slots { get; }

    /// <summary>Parameters as the block takes them.</summary>
    public IReadOnlyList<Tensor> Parameters => _parameters;

    /// <summary>
    /// What a backward pass asks gradients of: the input, if the block has one, then the parameters. Good until the next call.
    /// </summary>
    internal Tensor[] WithParameters(Tensor? input)
    {
        if (input is null)
            return _parameters;
        _inputAndParameters[0] = input;
        return _inputAndParameters;
    }

    /// <summary>All buckets that a pass over the block reads: its own and, where tied, the embedding's.</summary>
    public IReadOnlyList<Bucket> Buckets { get; }
}
