using TorchSharp;
using Uniscale.Collectives;
using Uniscale.Engine.Mesh;
using Uniscale.Kernels;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Buckets;

/// <summary>
/// Parameters, gradients and optimizer state of one block, or of a part of it, in flat buffers. ZeRO stages differ in which of them a rank
/// holds whole:
/// optimizer state is sharded from stage 1, gradients from stage 2, parameters from stage 3; what is sharded is whole only while a block
/// needs it.
/// </summary>
public sealed class Bucket : IDisposable
{
    private readonly WholeParameters _whole;
    private readonly bool[] _touched;
    private Tensor? _wholeGradient;
    private Tensor[] _gradientViews = [];

    /// <summary>Allocates the buffers; parameters are not yet set.</summary>
    /// <param name="block">Number of the block.</param>
    /// <param name="layout">Places of the parameters, and this rank's shard.</param>
    /// <param name="type">fp32, or bf16 with fp32 master weights.</param>
    /// <param name="zeroStage">0 to 3.</param>
    /// <param name="device">Where the buffers lie.</param>
    /// <param name="common">Where parameters are sharded: memory of <see cref="WholeBytes"/> that the ranks of the shards have in common,
    /// which the bucket then owns; null: none.</param>
    /// <param name="isFrozen">The parameters are only read: there are no gradients and no optimizer state.</param>
    public Bucket(
        int block,
        FlatLayout layout,
        ScalarType type,
        int zeroStage,
        Device device,
        SharedMemory? common = null,
        bool isFrozen = false
    )
    {
        Block = block;
        IsFrozen = isFrozen;
        Layout = layout;
        Type = type;
        ZeroStage = zeroStage;
        Device = device;
        _touched = new bool[layout.Parameters.Count];
        _whole =
            zeroStage >= 3 && layout.ShardCount > 1
                ? common is null
                    ? WholeParameters.Temporary(layout, type, device)
                    : WholeParameters.Shared(layout, type, device, common)
                : WholeParameters.Permanent(layout, type, device);
        ParameterShard =
            _whole.IsTemporary && !_whole.IsShared
                ? Zeros(layout.Shard.Count, type)
                : Keep(_whole.Flat.narrow(0, layout.Shard.Start, layout.Shard.Count));
        if (isFrozen)
        {
            GradientShard = Zeros(0, ScalarType.Float32);
            FirstMoment = Zeros(0, ScalarType.Float32);
            SecondMoment = Zeros(0, ScalarType.Float32);
            Master = ParameterShard;
            Views = new ShardViews(this);
            return;
        }
        if (GradientsAreSharded)
            GradientShard = Zeros(layout.Shard.Count, ScalarType.Float32);
        else
        {
            AllocateWholeGradient();
            GradientShard = Keep(_wholeGradient!.narrow(0, layout.Shard.Start, layout.Shard.Count));
        }
        FirstMoment = Zeros(layout.Shard.Count, ScalarType.Float32);
        SecondMoment = Zeros(layout.Shard.Count, ScalarType.Float32);
        Master = type == ScalarType.Float32 ? ParameterShard : Zeros(layout.Shard.Count, ScalarType.Float32);
        Views = new ShardViews(this);
    }

    /// <summary>The shard as the optimizer takes it.</summary>
    internal ShardViews Views { get; }

    /// <summary>Number of the block.</summary>
    public int Block { get; }

    /// <summary>The parameters are only read, as those of a reference model.</summary>
    public bool IsFrozen { get; }

    /// <summary>Ranks that hold the same parameters, where they are others than the layout's replicas; null: those.</summary>
    public ReplicaGroups? Groups { get; init; }

    /// <summary>Places of the parameters.</summary>
    public FlatLayout Layout { get; }

    /// <summary>Type of the parameters.</summary>
    public ScalarType Type { get; }

    /// <summary>0 to 3.</summary>
    public int ZeroStage { get; }

    /// <summary>Where the buffers lie.</summary>
    public Device Device { get; }

    /// <summary>Gradients are whole only from a block's backward to its reduction.</summary>
    public bool GradientsAreSharded => ZeroStage >= 2 && Layout.ShardCount > 1;

    /// <summary>Parameters are whole only between gathering and release.</summary>
    public bool ParametersAreSharded => _whole.IsTemporary;

    /// <summary>The whole parameters are common memory of the ranks that hold the shards: gathering them moves nothing.</summary>
    public bool ParametersAreShared => _whole.IsShared;

    /// <summary>Bytes of the whole parameters.</summary>
    public static long WholeBytes(FlatLayout layout, ScalarType type) => layout.Count * type.ElementSize();

    /// <summary>Parameters as the block takes them: views of the whole buffer that require gradients.</summary>
    public IReadOnlyList<Tensor> Parameters => _whole.Views;

    /// <summary>The whole flat parameters; throws where they are not gathered.</summary>
    public Tensor WholeFlat =>
        _whole.IsPresent
            ? _whole.Flat
            : throw new InvalidOperationException($"The parameters of block {Block} are used while they are not gathered.");

    /// <summary>Whether the whole parameters are in memory.</summary>
    public bool IsGathered => _whole.IsPresent;

    /// <summary>This rank's shard of the parameters, in their type.</summary>
    public Tensor ParameterShard { get; }

    /// <summary>This rank's shard of the summed gradients, fp32; complete after the reduction.</summary>
    public Tensor GradientShard { get; }

    /// <summary>Running mean of gradients, fp32, of the shard.</summary>
    public Tensor FirstMoment { get; }

    /// <summary>Running mean of squared gradients, fp32, of the shard.</summary>
    public Tensor SecondMoment { get; }

    /// <summary>fp32 weights of the shard: the parameters themselves where these are fp32.</summary>
    public Tensor Master { get; }

    /// <summary>Whether the shard already holds gradients of this step, to which a later reduction adds.</summary>
    public bool ShardHoldsGradient { get; set; }

    /// <summary>Bytes held between steps.</summary>
    public MemoryAccount Memory =>
        new(
            (_whole.IsTemporary ? Layout.Shard.Count : Layout.Count) * Type.ElementSize(),
            IsFrozen ? 0 : (GradientsAreSharded ? Layout.Shard.Count : Layout.Count) * sizeof(float),
            IsFrozen ? 0 : Layout.Shard.Count * sizeof(float) * (Type == ScalarType.Float32 ? 2 : 3)
        );

    /// <summary>Makes room for the whole parameters; the caller fills <see cref="WholeFlat"/>.</summary>
    public void Materialize() => _whole.Materialize();

    /// <summary>Gives the room of the whole parameters back.</summary>
    public void Release() => _whole.Release();

    /// <summary>Forgets the gradients of the last step.</summary>
    public void BeginStep()
    {
        Array.Clear(_touched);
        ShardHoldsGradient = false;
    }

    /// <summary>
    /// The sum of the gradients of parameter <paramref name="index"/>, to which the caller adds; empty at its first use in the step.
    /// </summary>
    public GradientSum Sum(int index)
    {
        if (_wholeGradient is null)
            AllocateWholeGradient();
        bool isEmpty = !_touched[index];
        _touched[index] = true;
        return new GradientSum(_gradientViews[index], isEmpty);
    }

    /// <summary>
    /// The whole gradients of this rank, zero where nothing was added, ready to be reduced. Where gradients are sharded the caller owns
    /// them from now on, and later contributions begin anew; otherwise they stay the bucket's.
    /// </summary>
    public Tensor TakeWholeGradient()
    {
        if (_wholeGradient is null)
            AllocateWholeGradient();
        for (int i = 0; i < _touched.Length; i++)
            if (!_touched[i])
                _gradientViews[i].zero_();
        var whole = _wholeGradient!;
        if (GradientsAreSharded)
        {
            FreeGradientViews();
            _wholeGradient = null;
            Array.Clear(_touched);
        }
        return whole;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Views.Dispose();
        FreeGradientViews();
        _wholeGradient?.Dispose();
        GradientShard.Dispose();
        FirstMoment.Dispose();
        SecondMoment.Dispose();
        if (!ReferenceEquals(Master, ParameterShard))
            Master.Dispose();
        ParameterShard.Dispose();
        _whole.Dispose();
    }

    private void AllocateWholeGradient()
    {
        var whole = Keep(TensorMemory.Empty([Layout.Count], ScalarType.Float32, Device));
        foreach (var gap in Layout.Gaps)
            Clear(whole, gap);
        _wholeGradient = whole;
        _gradientViews = [.. Layout.Parameters.Select(p => Keep(View(whole, p)))];
    }

    private static void Clear(Tensor flat, FlatSpan span)
    {
        using var part = flat.narrow(0, span.Start, span.Count);
        part.zero_();
    }

    private void FreeGradientViews()
    {
        foreach (var view in _gradientViews)
            view.Dispose();
        _gradientViews = [];
    }

    /// <summary>A parameter's place in a flat buffer, in its shape.</summary>
    internal static Tensor View(Tensor flat, FlatParameter place)
    {
        using var narrow = flat.narrow(0, place.Range.Start, place.Range.Count);
        return narrow.view(place.Parameter.Shape);
    }

    private Tensor Zeros(long count, ScalarType type) => Keep(TensorMemory.Zeros([count], type, Device));

    private static Tensor Keep(Tensor tensor) => tensor.DetachFromDisposeScope();
}
