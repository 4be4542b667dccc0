using Uniscale.Configuration;
using Uniscale.Kernels.Reference;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Kernels.Cpu;

/// <summary>Norms, rotations, activations and the loss.</summary>
public sealed partial class NativeKernels
{
    /// <inheritdoc/>
    public NormResult Norm(NormKind kind, Tensor x, Tensor weight, Tensor? bias, double epsilon)
    {
        if (!Takes(x, weight, bias))
            return TorchKernels.Instance.Norm(kind, x, weight, bias, epsilon);
        long dim = x.size(-1);
        var rows = Dense(x);
        var (output, scale) = (TensorMemory.EmptyLike(rows), EmptyRows(x, 1, float32));
        var mean = kind == NormKind.LayerNorm ? EmptyRows(x, 1, float32) : null;
        CpuKernels.NormForward(
            Address(rows),
            Address(weight),
            AddressOrNull(bias),
            Address(output),
            AddressOrNull(mean),
            Address(scale),
            scale.numel(),
            dim,
            (float)epsilon,
            TypeOf(x)
        );
        return new NormResult(output, mean, scale);
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
        if (!Takes(x, gradient, weight, carried))
            return TorchKernels.Instance.NormBackward(kind, gradient, x, weight, mean, scale, carried);
        long dim = x.size(-1);
        var (dy, rows) = (Dense(gradient), Dense(x));
        var beside = carried is null ? null : Dense(carried);
        var input = TensorMemory.EmptyLike(rows);
        var weightGradient = TensorMemory.Empty([dim], float32);
        var biasGradient = kind == NormKind.LayerNorm ? TensorMemory.Empty([dim], float32) : null;
        CpuKernels.NormBackward(
            Address(dy),
            Address(rows),
            Address(weight),
            AddressOrNull(mean),
            Address(scale),
            AddressOrNull(beside),
            Address(input),
            Address(weightGradient),
            AddressOrNull(biasGradient),
            scale.numel(),
            dim,
            TypeOf(x)
        );
        return new NormGradients(input, weightGradient, biasGradient);
    }

    /// <inheritdoc/>
    public Tensor Rotate(Tensor x, Tensor cosine, Tensor sine, bool inverse)
    {
        if (!Takes(x))
            return TorchKernels.Instance.Rotate(x, cosine, sine, inverse);
        using var scope = NewDisposeScope();
        var input = Dense(x);
        var (c, s) = (Dense(cosine), Dense(sine));
        var result = TensorMemory.EmptyLike(input);
        long heads = x.size(2),
            dim = x.size(3);
        CpuKernels.Rope(
            Address(input),
            Address(result),
            Address(c),
            Address(s),
            c.numel() / (dim / 2),
            x.size(0) * x.size(1),
            heads,
            dim,
            inverse,
            TypeOf(x)
        );
        return result.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public Tensor Swiglu(Tensor gate, Tensor up)
    {
        if (!Takes(gate, up))
            return TorchKernels.Instance.Swiglu(gate, up);
        using var scope = NewDisposeScope();
        var (g, u) = (Dense(gate), Dense(up));
        var result = TensorMemory.EmptyLike(g);
        CpuKernels.SwigluForward(Address(g), Address(u), Address(result), g.numel(), TypeOf(g));
        return result.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public (Tensor Gate, Tensor Up) SwigluBackward(Tensor gradient, Tensor gate, Tensor up)
    {
        if (!Takes(gate, up, gradient))
            return TorchKernels.Instance.SwigluBackward(gradient, gate, up);
        using var scope = NewDisposeScope();
        var (dy, g, u) = (Dense(gradient), Dense(gate), Dense(up));
        var (gateGradient, upGradient) = (TensorMemory.EmptyLike(g), TensorMemory.EmptyLike(u));
        CpuKernels.SwigluBackward(Address(dy), Address(g), Address(u), Address(gateGradient), Address(upGradient), g.numel(), TypeOf(g));
        return scope.MoveToOuter(gateGradient, upGradient);
    }

    /// <inheritdoc/>
    public Tensor Gelu(Tensor x)
    {
        if (!Takes(x))
            return TorchKernels.Instance.Gelu(x);
        var input = Dense(x);
        var result = TensorMemory.EmptyLike(input);
        CpuKernels.GeluForward(Address(input), Address(result), input.numel(), TypeOf(x));
        return result;
    }

    /// <inheritdoc/>
    public Tensor GeluBackward(Tensor gradient, Tensor x)
    {
        if (!Takes(x, gradient))
            return TorchKernels.Instance.GeluBackward(gradient, x);
        var (dy, input) = (Dense(gradient), Dense(x));
        var result = TensorMemory.EmptyLike(input);
        CpuKernels.GeluBackward(Address(dy), Address(input), Address(result), input.numel(), TypeOf(x));
        return result;
    }

    /// <inheritdoc/>
    public LossStatistics LossStatistics(Tensor logits, Tensor targets)
    {
        if (!Takes(logits) || logits.dtype != float32)
            return TorchKernels.Instance.LossStatistics(logits, targets);
        using var scope = NewDisposeScope();
        var (input, wanted) = (Dense(logits), Dense(targets));
        long rows = input.size(0),
            entries = input.size(1);
        var (maximum, sum, target) = (
            TensorMemory.Empty([rows], float32),
            TensorMemory.Empty([rows], float32),
            TensorMemory.Empty([rows], float32)
        );
        CpuKernels.LossStatistics(Address(input), Address(wanted), Address(maximum), Address(sum), Address(target), rows, entries);
        return new LossStatistics(maximum.MoveToOuterDisposeScope(), sum.MoveToOuterDisposeScope(), target.MoveToOuterDisposeScope());
    }

    /// <inheritdoc/>
    public Tensor LossGradient(Tensor logits, Tensor targets, Tensor logSumExp, Tensor scale, ScalarType type)
    {
        if (!Takes(logits, scale) || logits.dtype != float32)
            return TorchKernels.Instance.LossGradient(logits, targets, logSumExp, scale, type);
        using var scope = NewDisposeScope();
        var (input, wanted) = (Dense(logits), Dense(targets));
        var (sums, factors) = (Dense(logSumExp), Dense(scale));
        var gradient = type == float32 ? input.alias() : TensorMemory.EmptyLike(input, type);
        CpuKernels.LossGradient(
            Address(input),
            Address(wanted),
            Address(sums),
            Address(factors),
            Address(gradient),
            input.size(0),
            input.size(1),
            TypeOf(gradient)
        );
        return gradient.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public CrossEntropy CrossEntropy(Tensor logits, Tensor targets, Tensor scale, ScalarType type)
    {
        if (!Takes(logits, scale) || logits.dtype != float32)
            return TorchKernels.Instance.CrossEntropy(logits, targets, scale, type);
        using var scope = NewDisposeScope();
        var (input, wanted, factors) = (Dense(logits), Dense(targets), Dense(scale));
        long rows = input.size(0),
            entries = input.size(1);
        var (logSumExp, target) = (TensorMemory.Empty([rows], float32), TensorMemory.Empty([rows], float32));
        var gradient = type == float32 ? input.alias() : TensorMemory.EmptyLike(input, type);
        CpuKernels.CrossEntropy(
            Address(input),
            Address(wanted),
            Address(factors),
            Address(logSumExp),
            Address(target),
            Address(gradient),
            rows,
            entries,
            TypeOf(gradient)
        );
        return new CrossEntropy(logSumExp.MoveToOuterDisposeScope(), target.MoveToOuterDisposeScope(), gradient.MoveToOuterDisposeScope());
    }
}
