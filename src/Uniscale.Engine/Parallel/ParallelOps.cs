using System.Runtime.CompilerServices;
using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Engine.Autograd;
using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel.Operations;
using Uniscale.Engine.Parallel.Sequences;
using Uniscale.Kernels;
using Uniscale.Kernels.Cpu;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel;

/// <summary>
/// The primitives of a model under any layout of the tensor and context axes. Groups of one rank make every communication the
/// identity, so one rank and many run the same code.
/// </summary>
public sealed class ParallelOps : IParallelOps
{
    private readonly IAttentionLayout _attention;
    private readonly bool _fusedAttention;
    private readonly CachedSequences? _sequences;

    // From the result of an operation to how it is computed again: written by Remember, read by Keep of the operation that takes the very
    // object. A
    // parameter would put the recipe into every signature of the model between the two, for selective recomputation alone.
    private readonly ConditionalWeakTable<Tensor, Recipe> _recipes = [];

    /// <param name="groups">Whom this rank shares layers and sequences with.</param>
    /// <param name="kernels">The mathematics of one device; null: the native ones, which fall back to plain torch operators.</param>
    /// <param name="selective">Selective recomputation: attention probabilities, normalised inputs and activations, which are cheap, are
    /// computed again in backward instead of being kept.</param>
    /// <param name="fusedAttention">Attention over whole sequences is libtorch's own instead of the kernels': for devices.</param>
    public ParallelOps(ParallelGroups groups, IKernels? kernels = null, bool selective = false, bool fusedAttention = false)
        : this(groups, kernels, selective, fusedAttention, sequences: null) { }

    private ParallelOps(ParallelGroups groups, IKernels? kernels, bool selective, bool fusedAttention, CachedSequences? sequences)
    {
        _sequences = sequences;
        this._fusedAttention = fusedAttention;
        Kernels = kernels ?? new NativeKernels();
        Selective = selective;
        TensorAxis = new TensorGroup(groups.Tensor);
        SequenceParallel = groups.Sequence && TensorAxis.Active;
        KvReplicas = new TensorGroup(groups.KvReplicas);
        ContextAxis = new TensorGroup(groups.Context);
        _attention = (sequences, ContextAxis.Active, groups.ContextMethod) switch
        {
            ({ }, _, _) => new CachedAttention(Kernels, sequences),
            (_, false, _) => new LocalAttention(this),
            (_, true, ContextKind.Ring) => new RingAttention(this),
            _ => new AllToAllAttention(this),
        };
    }

    /// <inheritdoc/>
    public GradientSink Sink { get; } = new();

    /// <inheritdoc/>
    public DeferredWeightGradients? Deferred { get; set; }

    internal IKernels Kernels { get; }

    internal bool Selective { get; }

    internal TensorGroup TensorAxis { get; }

    internal TensorGroup KvReplicas { get; }

    internal TensorGroup ContextAxis { get; }

    /// <summary>Whether the residual is split along the sequence over the tensor axis.</summary>
    internal bool SequenceParallel { get; }

    /// <summary>The primitives of a rank that has the model for itself.</summary>
    public static ParallelOps Local(IKernels? kernels = null, bool selective = false) => new(new ParallelGroups(), kernels, selective);

    /// <summary>The primitives for inference: attention reads and extends caches. Whole sequences only, but any tensor axis.</summary>
    public static ParallelOps Decoding(CachedSequences sequences, IProcessGroup? tensor = null, IKernels? kernels = null) =>
        new(new ParallelGroups { Tensor = tensor }, kernels, selective: false, fusedAttention: false, sequences);

    /// <inheritdoc/>
    public int LocalHeads(int heads) => heads / TensorAxis.Size;

    /// <inheritdoc/>
    public int LocalKvHeads(int kvHeads) => Math.Max(1, kvHeads / TensorAxis.Size);

    /// <inheritdoc/>
    public Tensor Embedding(Tensor weight, Tensor? positions, long vocabulary, MicrobatchContext context) =>
        new EmbeddingOperation(this, vocabulary, context).Apply(weight, positions);

    /// <inheritdoc/>
    public Tensor Norm(NormKind kind, Tensor x, Tensor weight, Tensor? bias, double epsilon)
    {
        var result = new NormOperation(this, kind, epsilon).Apply(x, weight, bias);
        return Selective ? Remember(result, NormAgain(kind, epsilon), bias is null ? [x, weight] : [x, weight, bias]) : result;
    }

    /// <inheritdoc/>
    public (Tensor Normalised, Tensor Residual) NormBranch(NormKind kind, Tensor x, Tensor weight, Tensor? bias, double epsilon)
    {
        var (result, residual) = new NormOperation(this, kind, epsilon).Branch(x, weight, bias);
        return (Selective ? Remember(result, NormAgain(kind, epsilon), bias is null ? [x, weight] : [x, weight, bias]) : result, residual);
    }

    /// <inheritdoc/>
    public IReadOnlyList<Tensor> ColumnLinear(Tensor x, params ReadOnlySpan<ColumnWeights> matrices) =>
        new ColumnLinearOperation(this, matrices).Apply(x);

    /// <inheritdoc/>
    public Tensor RowLinear(Tensor x, Tensor weight, Tensor? bias, Tensor residual) =>
        new RowLinearOperation(this).Apply(x, weight, bias, residual);

    /// <inheritdoc/>
    public (Tensor Query, Tensor Key) Rotary(Tensor q, Tensor k, RotaryFrequencies frequencies, MicrobatchContext context) =>
        new RotaryOperation(this, frequencies, context).Apply(q, k);

    /// <inheritdoc/>
    public Tensor Attention(Tensor q, Tensor k, Tensor v, MicrobatchContext context) => _attention.Apply(q, k, v, context);

    /// <inheritdoc/>
    public Tensor Swiglu(Tensor gate, Tensor up)
    {
        var result = new SwigluOperation(Kernels).Apply(gate, up);
        return Selective ? Remember(result, kept => Kernels.Swiglu(kept[0], kept[1]), gate, up) : result;
    }

    /// <inheritdoc/>
    public Tensor GeluFeedForward(Tensor x, ColumnWeights up, ColumnWeights down, Tensor residual) =>
        new GeluFeedForwardOperation(this, up, down).Apply(x, residual);

    /// <inheritdoc/>
    public Tensor HeadLoss(Tensor x, Tensor weight, long vocabulary, MicrobatchContext context) =>
        new HeadLossOperation(this, vocabulary, context).Apply(x, weight);

    /// <inheritdoc/>
    public Tensor AnswerLoss(Tensor x, Tensor weight, long vocabulary, MicrobatchContext context) =>
        new AnswerLossOperation(this, vocabulary, context).Apply(x, weight);

    /// <inheritdoc/>
    public Tensor ScoreLoss(Tensor x, Tensor weight, MicrobatchContext context) => new ScoreLossOperation(this, context).Apply(x, weight);

    /// <inheritdoc/>
    public Tensor Logits(Tensor x, Tensor weight, long vocabulary)
    {
        using var scope = NewDisposeScope();
        var whole = GatherResidual(x).Wait();
        var part = empty([.. whole.shape[..^1], weight.size(0)], float32, x.device);
        Kernels.Logits(whole, weight, part);
        var stacked = TensorAxis.Gather(part).Wait();
        return stacked.permute(1, 2, 0, 3).flatten(2).narrow(2, 0, vocabulary).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>Attention where the whole sequence of some heads is here.</summary>
    internal Tensor AttendHere(Tensor q, Tensor k, Tensor v, Tensor? documents) =>
        _fusedAttention ? FusedAttention.Apply(q, k, v, documents) : new AttentionOperation(this, documents).Apply(q, k, v);

    /// <summary>
    /// How an operation keeps an input for its backward: by the recipe that <see cref="Remember"/> has left for this very object, if it
    /// has.
    /// </summary>
    internal KeptInput Keep(Tensor input) => new(_recipes.TryGetValue(input, out var recipe) ? recipe : null);

    /// <summary>The whole sequence of a residual that may be split along it.</summary>
    internal Pending GatherResidual(Tensor x) => SequenceParallel ? TensorAxis.GatherSequence(x) : Pending.Done(x);

    /// <summary>This rank's part along dim 1 of what is given for whole sequences: the part that its residual has.</summary>
    internal Tensor PartOfSequence(Tensor whole)
    {
        if (!SequenceParallel)
            return whole;
        long length = whole.size(1) / TensorAxis.Size;
        return whole.narrow(1, TensorAxis.Rank * length, length);
    }

    /// <summary>Sums partial results over the tensor axis into a residual. The tensor's memory may be used for it.</summary>
    internal Pending ReduceResidual(Tensor partial) =>
        SequenceParallel ? TensorAxis.ScatterSequence(partial) : TensorAxis.AllReduce(partial.contiguous());

    /// <summary>
    /// The residual with this rank's features times its part of a matrix, summed over the tensor axis, and a whole bias added.
    /// </summary>
    internal Tensor AddToResidual(Tensor x, Tensor weight, Tensor? bias, Tensor residual)
    {
        if (!TensorAxis.Active)
            return Kernels.Linear(x, weight, bias, residual);

        // The bias is whole on every rank and must count once, so it is added to the sum.
        var sum = ReduceResidual(Kernels.Linear(x, weight, null)).Wait();
        if (bias is not null)
            sum.add_(bias, Scalars.One);
        return sum.add_(residual, Scalars.One);
    }

    /// <summary>Positions of this rank's tokens where the data gives none: int64 [1, sequence].</summary>
    internal Tensor Positions(MicrobatchContext context) =>
        context.Positions?.alias()
        ?? ContextPartition.Positions(context.Tokens.size(1) * ContextAxis.Size, ContextAxis.Size, ContextAxis.Rank, context.Tokens.device);

    /// <summary>Cosines and sines of the rotary angles of this rank's tokens, fp32 [batch or 1, sequence, 1, headDim/2].</summary>
    internal (Tensor Cosine, Tensor Sine) Angles(RotaryFrequencies frequencies, MicrobatchContext context) =>
        AnglesOfPass(frequencies, context) is { } kept
            ? (kept.Cosine.alias(), kept.Sine.alias())
            : frequencies.Angles(Positions(context));

    /// <summary>See <see cref="RotaryFrequencies.QueryScale"/>, of this rank's tokens.</summary>
    internal Tensor? QueryScale(RotaryFrequencies frequencies, MicrobatchContext context) =>
        AnglesOfPass(frequencies, context) is { } kept ? kept.QueryScale?.alias() : frequencies.QueryScale(Positions(context));

    private RotaryAngles? AnglesOfPass(RotaryFrequencies frequencies, MicrobatchContext context) =>
        _sequences?.Angles(frequencies, Positions(context));

    /// <summary>Adds a gradient to its sum, or gives it back in the parameter's type where there is none.</summary>
    internal static Tensor? Deliver(Func<GradientSum>? sum, Tensor gradient, ScalarType type)
    {
        if (sum is null)
            return gradient.to(type);
        sum().Add(gradient);
        return null;
    }

    private Func<IReadOnlyList<Tensor>, Tensor> NormAgain(NormKind kind, double epsilon) =>
        kept => Kernels.Norm(kind, kept[0], kept[1], kept.Count > 2 ? kept[2] : null, epsilon).Output;

    /// <summary>Under selective recomputation, lets whoever takes the result keep its sources instead.</summary>
    private Tensor Remember(Tensor result, Func<IReadOnlyList<Tensor>, Tensor> make, params Tensor[] sources)
    {
        if (is_grad_enabled())
            _recipes.Add(result, new Recipe(sources, make));
        return result;
    }
}
