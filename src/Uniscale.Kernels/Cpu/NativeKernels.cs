using TorchSharp;
using Uniscale.Kernels.Reference;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Kernels.Cpu;

/// <summary>
/// The kernels of Uniscale.Kernels on CPU tensors, fp32 or bf16: GEMM by AMX tiles, bf16 pairs, oneDNN or FMA, all else in one pass over
/// memory.
/// What they do not take (other types, a processor without AVX2) goes to <see cref="TorchKernels"/>, whose results they are held to.
/// The kernels of a transformer's blocks open no dispose scope: the copy of an input that has gaps, a rare thing, goes with the caller's.
/// </summary>
public sealed partial class NativeKernels : IKernels, IDisposable
{
    private readonly Dictionary<(nint Address, long Rows, long Columns), PackedWeights>? _packed;
    private readonly int _batchInvariant;

    /// <param name="packWeights">
    /// Keep prepacked copies of weight matrices, found by their address: faster, but <see cref="ParametersChanged"/> must
    /// be called whenever a weight matrix may have new values or another place.
    /// </param>
    /// <param name="batchInvariant">
    /// The bits of a row of a linear layer do not depend on how many rows are computed beside it: for inference, where the same request
    /// comes in
    /// batches of any size. Products run on the kernels' own vector code then, where oneDNN or tiles may be faster.
    /// </param>
    public NativeKernels(bool packWeights = false, bool batchInvariant = false)
    {
        _packed = packWeights ? [] : null;
        _batchInvariant = batchInvariant ? 1 : 0;
    }

    /// <summary>Bytes of packed copies.</summary>
    public long PackedBytes => _packed?.Values.Sum(p => p.SizeBytes) ?? 0;

    /// <inheritdoc/>
    public void ParametersChanged()
    {
        if (_packed is null)
            return;
        foreach (var weights in _packed.Values)
            weights.Invalidate();
    }

    /// <inheritdoc/>
    public Tensor Embedding(Tensor ids, Tensor table, long first, long entries)
    {
        if (!Takes(table))
            return TorchKernels.Instance.Embedding(ids, table, first, entries);
        using var scope = NewDisposeScope();
        var tokens = Dense(ids);
        long dim = table.size(1);
        var result = TensorMemory.Empty([.. ids.shape, dim], table.dtype);
        CpuKernels.EmbeddingForward(Address(tokens), Address(table), Address(result), tokens.numel(), dim, first, entries, TypeOf(table));
        return result.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void AccumulateEmbeddingGradient(Tensor accumulator, Tensor ids, Tensor gradient, long first, long entries)
    {
        if (!Takes(gradient) || !accumulator.is_contiguous())
        {
            TorchKernels.Instance.AccumulateEmbeddingGradient(accumulator, ids, gradient, first, entries);
            return;
        }
        using var scope = NewDisposeScope();
        var (tokens, dy) = (Dense(ids), Dense(gradient));
        CpuKernels.EmbeddingBackward(
            Address(tokens),
            Address(dy),
            Address(accumulator),
            tokens.numel(),
            accumulator.size(1),
            first,
            entries,
            TypeOf(dy)
        );
    }

    /// <inheritdoc/>
    public Tensor Linear(Tensor x, Tensor weight, Tensor? bias, Tensor? residual = null)
    {
        if (!Takes(x, weight, residual))
            return TorchKernels.Instance.Linear(x, weight, bias, residual);
        var result = EmptyRows(x, weight.size(0), x.dtype);
        Product(
            x,
            weight,
            transposed: true,
            result,
            new() { Bias = AddressOrNull(bias), Addend = residual is null ? 0 : Address(Dense(residual)) }
        );
        return result;
    }

    /// <summary>
    /// x·Wᵀ through an epilogue, on rows that lie in memory without gaps and are of the weight's type; the same bits as on tensors.
    /// </summary>
    /// <param name="x">[rows, in].</param>
    /// <param name="rows">Rows.</param>
    /// <param name="weight">[out, in].</param>
    /// <param name="result">[rows, out]; overwritten.</param>
    /// <param name="epilogue">What is done with the product on its way to the result.</param>
    public void Linear(nint x, long rows, Tensor weight, nint result, in ProductEpilogue epilogue)
    {
        var type = TypeOf(weight);
        Product(rows, new(x, type, weight.size(1)), weight, transposed: true, new(result, type, weight.size(0)), epilogue);
    }

    /// <inheritdoc/>
    public (Tensor Product, Tensor Activated) LinearGelu(Tensor x, Tensor weight, Tensor? bias)
    {
        if (!Takes(x, weight))
            return TorchKernels.Instance.LinearGelu(x, weight, bias);
        var product = EmptyRows(x, weight.size(0), x.dtype);
        var activated = TensorMemory.EmptyLike(product);
        Product(
            x,
            weight,
            transposed: true,
            activated,
            new()
            {
                Bias = AddressOrNull(bias),
                Pre = Address(product),
                Activation = ProductActivation.Gelu,
            }
        );
        return (product, activated);
    }

    /// <inheritdoc/>
    public void Logits(Tensor x, Tensor weight, Tensor output)
    {
        if (Takes(x, weight))
            Product(x, weight, transposed: true, output, default);
        else
            TorchKernels.Instance.Logits(x, weight, output);
    }

    /// <inheritdoc/>
    public Tensor LinearInputGradient(Tensor gradient, Tensor weight)
    {
        if (!Takes(gradient, weight))
            return TorchKernels.Instance.LinearInputGradient(gradient, weight);
        var result = EmptyRows(gradient, weight.size(1), gradient.dtype);
        Product(gradient, weight, transposed: false, result, default);
        return result;
    }

    /// <inheritdoc/>
    public void LinearInputGradient(Tensor gradient, Tensor weight, Tensor result, bool add)
    {
        if (!Takes(gradient, weight) || !result.is_contiguous())
            TorchKernels.Instance.LinearInputGradient(gradient, weight, result, add);
        else
            Product(gradient, weight, transposed: false, result, new() { Addend = add ? Address(result) : 0 });
    }

    /// <inheritdoc/>
    public Tensor LinearInputGradientBeforeGelu(Tensor gradient, Tensor weight, Tensor pre)
    {
        if (!Takes(gradient, weight, pre))
            return TorchKernels.Instance.LinearInputGradientBeforeGelu(gradient, weight, pre);
        var result = EmptyRows(gradient, weight.size(1), gradient.dtype);
        Product(gradient, weight, transposed: false, result, new() { Pre = Address(Dense(pre)), Activation = ProductActivation.GeluSlope });
        return result;
    }

    /// <inheritdoc/>
    public Tensor LinearWeightGradient(Tensor gradient, Tensor x)
    {
        if (!Takes(gradient, x))
            return TorchKernels.Instance.LinearWeightGradient(gradient, x);
        using var scope = NewDisposeScope();
        var result = TensorMemory.Empty([gradient.size(-1), x.size(-1)], x.dtype);
        WeightGradient(result, gradient, x, default);
        return result.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void AccumulateWeightGradient(GradientSum sum, Tensor gradient, Tensor x, GradientSum? bias = null)
    {
        if (!Takes(gradient, x) || !sum.Values.is_contiguous() || bias?.Values.is_contiguous() == false)
        {
            TorchKernels.Instance.AccumulateWeightGradient(sum, gradient, x, bias);
            return;
        }
        WeightGradient(
            sum.Values,
            gradient,
            x,
            new()
            {
                Addend = sum.IsEmpty ? 0 : Address(sum.Values),
                RowSums = AddressOrNull(bias?.Values),
                AddRowSums = bias is { IsEmpty: false } ? 1 : 0,
            }
        );
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var weights in _packed?.Values ?? Enumerable.Empty<PackedWeights>())
            weights.Dispose();
        _packed?.Clear();
    }

    /// <summary>x·W, or x·Wᵀ where <paramref name="transposed"/>.</summary>
    private void Product(Tensor x, Tensor weight, bool transposed, Tensor result, in ProductEpilogue epilogue)
    {
        var (n, k) = transposed ? (weight.size(0), weight.size(1)) : (weight.size(1), weight.size(0));
        var rows = Dense(x);
        Product(rows.numel() / k, Whole(rows, k), weight, transposed, Whole(result, n), epilogue);
    }

    /// <summary>The same on so many rows of operands that lie without gaps.</summary>
    private void Product(long rows, MatrixOperand x, Tensor weight, bool transposed, MatrixOperand result, in ProductEpilogue epilogue) =>
        MatrixProduct.Multiply(
            rows,
            result.Stride,
            x.Stride,
            x,
            Stored(weight, transposed),
            result,
            epilogue with
            {
                BatchInvariant = _batchInvariant,
            },
            Packed(weight)
        );

    private static void WeightGradient(Tensor target, Tensor gradient, Tensor x, in ProductEpilogue epilogue)
    {
        var (output, input) = (gradient.size(-1), x.size(-1));
        var (dy, rows) = (Dense(gradient), Dense(x));
        MatrixProduct.Multiply(
            output,
            input,
            rows.numel() / input,
            Whole(dy, output) with
            {
                Transposed = true,
            },
            Whole(rows, input),
            Whole(target, input),
            epilogue
        );
    }

    /// <summary>Whether these tensors are of one type that the native kernels take.</summary>
    private static bool Takes(Tensor tensor, params ReadOnlySpan<Tensor?> others)
    {
        if (
            !CpuKernels.IsSupported
            || tensor.device_type != DeviceType.CPU
            || tensor.dtype is not (ScalarType.Float32 or ScalarType.BFloat16)
        )
            return false;
        return tensor.numel() > 0 && SameType(tensor, others);
    }

    private PackedWeights? Packed(Tensor weight)
    {
        if (_packed is null)
            return null;
        var key = (Address(weight), weight.size(0), weight.size(1));
        if (!_packed.TryGetValue(key, out var weights))
            _packed[key] = weights = new PackedWeights();
        return weights;
    }

    /// <summary>Room for a tensor of the same shape but for its last dim.</summary>
    private static Tensor EmptyRows(Tensor like, long last, ScalarType type)
    {
        Span<long> shape = stackalloc long[(int)like.dim()];
        for (int i = 0; i < shape.Length - 1; i++)
            shape[i] = like.size(i);
        shape[^1] = last;
        return TensorMemory.Empty(shape, type);
    }

    /// <summary>
    /// The tensor itself where its elements lie without gaps, as they nearly always do: cheaper than asking libtorch for another object.
    /// </summary>
    private static Tensor Dense(Tensor tensor) => tensor.is_contiguous() ? tensor : tensor.contiguous();

    private static KernelType TypeOf(Tensor tensor) => TypeOf(tensor.dtype);

    /// <summary>A type as the kernels number it.</summary>
    public static KernelType TypeOf(ScalarType type) => type == ScalarType.BFloat16 ? KernelType.BFloat16 : KernelType.Float32;

    private static nint Address(Tensor tensor) =>
        tensor.is_contiguous()
            ? TensorMemory.DataPointer(tensor)
            : throw new ArgumentException($"A tensor of shape [{string.Join(", ", tensor.shape)}] must be contiguous for the kernels.");

    private static nint AddressOrNull(Tensor? tensor) => tensor is null ? 0 : Address(tensor);

    private static MatrixOperand Whole(Tensor tensor, long columns) => new(Address(tensor), TypeOf(tensor), columns);

    private static MatrixOperand Stored(Tensor weight, bool transposed) => new(Address(weight), TypeOf(weight), weight.size(1), transposed);
}
