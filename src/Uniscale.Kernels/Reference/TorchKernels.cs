using Uniscale.Configuration;
using Uniscale.Kernels.Cpu;
using Uniscale.Torch;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Uniscale.Kernels.Reference;

/// <summary>Every kernel out of plain torch operators: runs on any device; the reference for faster ones.</summary>
public sealed partial class TorchKernels : IKernels
{
    /// <summary>The kernels; they have no state.</summary>
    public static TorchKernels Instance { get; } = new();

    /// <inheritdoc/>
    public void ParametersChanged()
    {
        // Nothing is kept.
    }

    /// <inheritdoc/>
    public Tensor Embedding(Tensor ids, Tensor table, long first, long entries)
    {
        using var scope = NewDisposeScope();
        var (rows, here) = RowsHere(ids, first, entries);
        var found = table[rows].mul_(here.unsqueeze(-1));
        return found.view([.. ids.shape, table.shape[1]]).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void AccumulateEmbeddingGradient(Tensor accumulator, Tensor ids, Tensor gradient, long first, long entries)
    {
        using var scope = NewDisposeScope();
        var (rows, here) = RowsHere(ids, first, entries);
        accumulator.index_add_(0, rows, Rows(gradient).to(float32) * here.unsqueeze(-1), Scalars.Of(1));
    }

    /// <inheritdoc/>
    public Tensor Linear(Tensor x, Tensor weight, Tensor? bias, Tensor? residual = null)
    {
        var product = Product(x, weight, bias);
        return residual is null ? product : product.add_(residual, Scalars.One);
    }

    /// <inheritdoc/>
    public (Tensor Product, Tensor Activated) LinearGelu(Tensor x, Tensor weight, Tensor? bias)
    {
        var product = Product(x, weight, bias);
        return (product, Gelu(product));
    }

    /// <inheritdoc/>
    public void Logits(Tensor x, Tensor weight, Tensor output)
    {
        using var product = Product(x, weight, null);
        output.view(product.shape).copy_(product);
    }

    /// <inheritdoc/>
    public Tensor LinearInputGradient(Tensor gradient, Tensor weight) => Product(gradient, weight);

    /// <inheritdoc/>
    public void LinearInputGradient(Tensor gradient, Tensor weight, Tensor result, bool add)
    {
        using var scope = NewDisposeScope();
        if (add)
            result.add_(Product(gradient, weight), Scalars.One);
        else
            result.copy_(Product(gradient, weight));
    }

    /// <inheritdoc/>
    public Tensor LinearInputGradientBeforeGelu(Tensor gradient, Tensor weight, Tensor pre)
    {
        using var scope = NewDisposeScope();
        return GeluBackward(Product(gradient, weight), pre).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public Tensor LinearWeightGradient(Tensor gradient, Tensor x)
    {
        using var scope = NewDisposeScope();
        return Product(Rows(gradient).t(), Rows(x)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void AccumulateWeightGradient(GradientSum sum, Tensor gradient, Tensor x, GradientSum? bias = null)
    {
        using var scope = NewDisposeScope();
        bias?.Add(SumOverTokens(gradient));
        if (x.dtype == sum.Values.dtype)
            sum.Values.addmm_(Rows(gradient).t(), Rows(x), sum.IsEmpty ? 0 : 1);
        else
            sum.Add(Product(Rows(gradient).t(), Rows(x)));
    }

    /// <summary>x·Wᵀ, with a bias.</summary>
    private static Tensor Product(Tensor x, Tensor weight, Tensor? bias)
    {
        if (!IsWidened(x))
            return functional.linear(x, weight, bias);
        using var scope = NewDisposeScope();
        return functional.linear(x.to(float32), weight.to(float32), bias?.to(float32)).to(x.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>a·b, [..., inner] × [inner, out]. Not by matmul, out of which TorchSharp carries no error.</summary>
    private static Tensor Product(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        var product = IsWidened(a) ? Rows(a).to(float32).mm(b.to(float32)).to(a.dtype) : Rows(a).mm(b);
        return product.view([.. a.shape[..^1], b.size(1)]).MoveToOuterDisposeScope();
    }

    /// <summary>bf16 on a processor that cannot multiply it, for which not every libtorch has code.</summary>
    private static bool IsWidened(Tensor x) =>
        x.dtype == ScalarType.BFloat16 && x.device_type == TorchSharp.DeviceType.CPU && !ProcessorSupport.IsNative(KernelType.BFloat16);

    /// <summary>Sum over all dims but the last, in fp32.</summary>
    public static Tensor SumOverTokens(Tensor x) => x.reshape(-1, x.size(-1)).sum(0, false, float32);

    /// <inheritdoc/>
    public NormResult Norm(NormKind kind, Tensor x, Tensor weight, Tensor? bias, double epsilon)
    {
        using var scope = NewDisposeScope();
        var input = x.to(float32);
        var mean = kind == NormKind.LayerNorm ? input.mean([-1], keepdim: true) : null;
        var centered = mean is null ? input : input - mean;
        var scale = centered.pow(Scalars.Of(2)).mean([-1], keepdim: true).add_(Scalars.Of(epsilon), Scalars.One).rsqrt_();
        var output = (centered * scale).mul_(weight);
        if (bias is not null)
            output.add_(bias, Scalars.One);
        return new NormResult(
            output.to(x.dtype).MoveToOuterDisposeScope(),
            mean?.MoveToOuterDisposeScope(),
            scale.MoveToOuterDisposeScope()
        );
    }

    /// <inheritdoc/>
    public NormGradients NormBackward(
        NormKind kind,
        Tensor gradient,
        Tensor x,
        Tensor weight,
        Tensor? mean,
        Tensor scale,
        Tensor? carried = null
    )
    {
        using var scope = NewDisposeScope();
        var dy = gradient.to(float32);
        var normalised = (mean is null ? x.to(float32) : x.to(float32) - mean) * scale;
        var weightGradient = Rows(dy * normalised).sum(dim: 0);
        var biasGradient = kind == NormKind.LayerNorm ? Rows(dy).sum(dim: 0) : null;

        // dx = scale · (g − mean(g) − x̂ · mean(g·x̂)) with g = dy · w; RMS normalisation has no mean(g).
        var dx = dy * weight;
        var projection = (dx * normalised).mean([-1], keepdim: true);
        if (mean is not null)
            dx.sub_(dx.mean([-1], keepdim: true));
        dx.sub_(normalised.mul_(projection)).mul_(scale);
        if (carried is not null)
            dx.add_(carried, Scalars.One);
        return new NormGradients(
            dx.to(x.dtype).MoveToOuterDisposeScope(),
            weightGradient.MoveToOuterDisposeScope(),
            biasGradient?.MoveToOuterDisposeScope()
        );
    }

    /// <inheritdoc/>
    public Tensor Rotate(Tensor x, Tensor cosine, Tensor sine, bool inverse)
    {
        using var scope = NewDisposeScope();
        long half = x.shape[^1] / 2;
        var input = x.to(float32);
        var first = input.narrow(-1, 0, half);
        var second = input.narrow(-1, half, half);
        var firstSine = first * sine;
        var secondSine = second * sine;
        var rotated = inverse
            ? cat([(first * cosine).add_(secondSine, Scalars.One), (second * cosine).sub_(firstSine)], -1)
            : cat([(first * cosine).sub_(secondSine), (second * cosine).add_(firstSine, Scalars.One)], -1);
        return rotated.to(x.dtype).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public Tensor Swiglu(Tensor gate, Tensor up)
    {
        using var scope = NewDisposeScope();
        return functional.silu(gate.to(float32)).mul_(up).to(gate.dtype).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public (Tensor Gate, Tensor Up) SwigluBackward(Tensor gradient, Tensor gate, Tensor up)
    {
        using var scope = NewDisposeScope();
        var g = gate.to(float32);
        var sigmoid = g.sigmoid();
        var silu = g * sigmoid;

        // silu'(g) = σ + silu·(1 − σ)
        var slope = (silu - (silu * sigmoid)).add_(sigmoid, Scalars.One);
        var gateGradient = slope.mul_(up).mul_(gradient).to(gate.dtype);
        var upGradient = silu.mul_(gradient).to(gate.dtype);
        return scope.MoveToOuter(gateGradient, upGradient);
    }

    /// <inheritdoc/>
    public Tensor Gelu(Tensor x)
    {
        using var scope = NewDisposeScope();
        var input = x.to(float32);
        var tanh = GeluArgument(input).tanh_();
        return tanh.add_(Scalars.Of(1), Scalars.One).mul_(input).mul_(Scalars.Of(0.5)).to(x.dtype).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public Tensor GeluBackward(Tensor gradient, Tensor x)
    {
        using var scope = NewDisposeScope();
        var input = x.to(float32);
        var tanh = GeluArgument(input).tanh_();

        // ½(1 + t) + ½·x·(1 − t²)·√(2/π)·(1 + 3·0.044715·x²), t = tanh(√(2/π)(x + 0.044715·x³))
        var inner = input.pow(Scalars.Of(2)).mul_(Scalars.Of(3 * GeluCubic)).add_(Scalars.Of(1), Scalars.One).mul_(Scalars.Of(GeluScale));
        var slope = tanh.pow(Scalars.Of(2))
            .neg_()
            .add_(Scalars.Of(1), Scalars.One)
            .mul_(input)
            .mul_(inner)
            .add_(tanh, Scalars.One)
            .add_(Scalars.Of(1), Scalars.One)
            .mul_(Scalars.Of(0.5));
        return slope.mul_(gradient).to(x.dtype).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public LossStatistics LossStatistics(Tensor logits, Tensor targets)
    {
        using var scope = NewDisposeScope();
        var maximum = logits.amax([-1]);
        var sum = (logits - maximum.unsqueeze(-1)).exp_().sum(-1);
        var here = targets.ge(Scalars.Of(0));
        var target = logits.gather(1, targets.clamp_min(Scalars.Of(0)).unsqueeze(1)).squeeze(1).mul_(here);
        return new LossStatistics(maximum.MoveToOuterDisposeScope(), sum.MoveToOuterDisposeScope(), target.MoveToOuterDisposeScope());
    }

    /// <inheritdoc/>
    public Tensor LossGradient(Tensor logits, Tensor targets, Tensor logSumExp, Tensor scale, ScalarType type)
    {
        using var scope = NewDisposeScope();
        logits.sub_(logSumExp.unsqueeze(-1)).exp_().mul_(scale.unsqueeze(-1));
        var atTarget = (scale * targets.ge(Scalars.Of(0))).neg_().unsqueeze(1);
        logits.scatter_add_(1, targets.clamp_min(Scalars.Of(0)).unsqueeze(1), atTarget);
        return (type == float32 ? logits.alias() : logits.to(type)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public CrossEntropy CrossEntropy(Tensor logits, Tensor targets, Tensor scale, ScalarType type)
    {
        using var scope = NewDisposeScope();
        var statistics = LossStatistics(logits, targets);
        var logSumExp = statistics.Sum.log().add_(statistics.Maximum, Scalars.One);
        var gradient = LossGradient(logits, targets, logSumExp, scale, type);
        return new CrossEntropy(
            logSumExp.MoveToOuterDisposeScope(),
            statistics.Target.MoveToOuterDisposeScope(),
            gradient.MoveToOuterDisposeScope()
        );
    }

    private const double GeluCubic = 0.044715;

    private static readonly double GeluScale = Math.Sqrt(2 / Math.PI);

    /// <summary>Row of each id in the table, 0 where it lies outside, and whether it is inside.</summary>
    private static (Tensor Rows, Tensor Here) RowsHere(Tensor ids, long first, long entries)
    {
        var local = ids.reshape(-1).sub(Scalars.Of(first));
        var here = local.ge(Scalars.Of(0)).bitwise_and(local.lt(Scalars.Of(entries)));
        return (local * here, here);
    }

    private static Tensor GeluArgument(Tensor x) =>
        x.pow(Scalars.Of(2)).mul_(Scalars.Of(GeluCubic)).add_(Scalars.Of(1), Scalars.One).mul_(x).mul_(Scalars.Of(GeluScale));

    private static Tensor Rows(Tensor x) => x.reshape(-1, x.shape[^1]);
}
