using Uniscale.Collectives;
using Uniscale.Kernels;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Operations;

/// <summary>
/// The part of the output projection that a rank of the tensor axis holds: entries [First, First + Entries) without padding. Logits exist
/// for a chunk of tokens at a
/// time and never leave their rank; maxima and sums of exponentials are reduced over the axis.
/// </summary>
internal sealed class VocabularyPart
{
    /// <summary>Logits that exist at one time on a rank; on a device as many as keep it busy.</summary>
    private const long HostLogitBudget = 16 << 20,
        DeviceLogitBudget = 256 << 20;

    private readonly ParallelOps _ops;
    private readonly Tensor _logits;

    /// <param name="ops">The layout.</param>
    /// <param name="weight">This rank's rows, with padding.</param>
    /// <param name="vocabulary">Entries of all ranks, without padding.</param>
    /// <param name="tokens">Tokens that are projected.</param>
    public VocabularyPart(ParallelOps ops, Tensor weight, long vocabulary, long tokens)
    {
        _ops = ops;
        First = ops.TensorAxis.Rank * weight.size(0);
        Entries = Math.Min(weight.size(0), vocabulary - First);
        Weight = weight.narrow(0, 0, Entries);
        long budget = weight.device_type == TorchSharp.DeviceType.CPU ? HostLogitBudget : DeviceLogitBudget;
        ChunkTokens = EqualParts(tokens, Math.Clamp(budget / Entries, 1, tokens));
        _logits = TensorMemory.Empty([ChunkTokens, Entries], float32, weight.device);
    }

    public long First { get; }

    public long Entries { get; }

    /// <summary>The rows without padding.</summary>
    public Tensor Weight { get; }

    /// <summary>Tokens of a chunk.</summary>
    public long ChunkTokens { get; }

    /// <summary>Logits of a chunk, in memory that the next chunk takes over.</summary>
    public Tensor LogitsOf(Tensor x)
    {
        var logits = Logits(x.size(0));
        _ops.Kernels.Logits(x, Weight, logits);
        return logits;
    }

    /// <summary>The logits of the last chunk, as they are still there.</summary>
    public Tensor Logits(long count) => _logits.narrow(0, 0, count);

    /// <summary>Targets as entries of this part; −1 for those of other ranks and for none.</summary>
    public Tensor Local(Tensor targets)
    {
        var local = targets.sub(Scalars.Of(First));
        return local.masked_fill(local.lt(Scalars.Of(0)).bitwise_or(local.ge(Scalars.Of(Entries))), Scalars.Of(-1));
    }

    /// <summary>Joins the statistics of the ranks' parts: log-sum-exp and logit of the target, fp32 [tokens].</summary>
    public (Tensor LogSumExp, Tensor Target) Reduce(LossStatistics part)
    {
        if (!_ops.TensorAxis.Active)
            return (part.Sum.log().add_(part.Maximum, Scalars.One), part.Target);
        var maximum = _ops.TensorAxis.AllReduce(part.Maximum.clone(), ReduceOp.Max).Wait();
        var sums = stack([part.Sum * (part.Maximum - maximum).exp_(), part.Target]);
        _ops.TensorAxis.AllReduce(sums).Wait();
        return (sums[0].log().add_(maximum, Scalars.One), sums[1]);
    }

    /// <summary>
    /// Where the gradient of the weight is summed, or a new sum where it is not registered. The padding of the vocabulary has none.
    /// </summary>
    public GradientSum WeightSum(Func<GradientSum>? sink, Tensor weight)
    {
        if (sink is null)
            return zeros(weight.shape, float32, weight.device);
        var sum = sink();
        if (sum.IsEmpty)
            sum.Values.narrow(0, Entries, sum.Values.size(0) - Entries).zero_();
        return sum;
    }

    /// <summary>
    /// The largest of as few nearly equal parts as a limit allows: a GEMM wastes less on them than on full parts and a rest.
    /// </summary>
    private static long EqualParts(long count, long limit)
    {
        long parts = (count + limit - 1) / limit;
        return (count + parts - 1) / parts;
    }
}
