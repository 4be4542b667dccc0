using TorchSharp;
using Uniscale.Configuration;
using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel.Sequences;
using Uniscale.Kernels.Cpu;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Decoding;

/// <summary>
/// Transformer blocks over new tokens, kernel after kernel on raw memory: a token of a small model has so little arithmetic that the
/// tensors between its kernels would take longer. The kernels are those of <see cref="TransformerBlock.Forward"/> in its order, so the bits
/// are the same (decision 0301).
/// </summary>
internal sealed class DirectLayers(NativeKernels kernels, CachedSequences sequences)
{
    /// <summary>Whether a block can be computed so: all of one type that the kernels take, on the CPU, without gaps.</summary>
    public static bool Takes(TransformerBlock block, IReadOnlyList<Tensor> parameters, Tensor x)
    {
        if (!NativeKernels.Takes(x.dtype, block.Shape.HeadDim) || x.device_type != DeviceType.CPU || !x.is_contiguous())
            return false;
        foreach (var parameter in parameters)
            if (parameter.dtype != x.dtype || !parameter.is_contiguous())
                return false;
        return true;
    }

    /// <summary>The block's output in place of its input x [1, tokens, hidden].</summary>
    public void Forward(TransformerBlock block, IReadOnlyList<Tensor> parameters, Tensor x, MicrobatchContext context)
    {
        var weights = block.Weights(parameters);
        using var room = new LayerRoom(block.Shape, x.size(1), x.dtype);
        nint residual = TensorMemory.DataPointer(x);
        Norm(block.Shape, weights.AttentionNorm, residual, room);
        Product(room.Normalised, weights.Query, room.Query, room);
        Product(room.Normalised, weights.Key, room.Key, room);
        Product(room.Normalised, weights.Value, room.Value, room);
        if (block.Rotary(context.RopeBase) is { } rotary)
            Rotate(sequences.Angles(rotary, context.Positions!), block.Shape, room);
        sequences.Attend(room.Attention(block.Shape));
        Product(room.Attended, weights.Output, residual, room, addTo: residual);
        Norm(block.Shape, weights.FfnNorm, residual, room);
        Activate(weights, room);
        Product(room.Activated, weights.Down, residual, room, addTo: residual);
    }

    private static void Norm(ModelSection shape, NormWeights weights, nint residual, LayerRoom room) =>
        CpuKernels.NormForward(
            residual,
            TensorMemory.DataPointer(weights.Weight),
            AddressOf(weights.Bias),
            room.Normalised,
            shape.Norm == NormKind.LayerNorm ? room.Mean : 0,
            room.Scale,
            room.Rows,
            shape.Hidden,
            (float)shape.NormEpsilon,
            room.KernelType
        );

    private static void Rotate(RotaryAngles angles, ModelSection shape, LayerRoom room)
    {
        Rotate(room.Query, angles.OfQueries(), shape.Heads);
        Rotate(room.Key, (angles.Cosine, angles.Sine), shape.KvHeads);

        void Rotate(nint rows, (Tensor Cosine, Tensor Sine) of, long heads) =>
            CpuKernels.Rope(
                rows,
                rows,
                TensorMemory.DataPointer(of.Cosine),
                TensorMemory.DataPointer(of.Sine),
                room.Rows,
                room.Rows,
                heads,
                shape.HeadDim,
                inverse: false,
                room.KernelType
            );
    }

    private void Activate(in LayerWeights weights, LayerRoom room)
    {
        if (weights.Gate is { } gate)
        {
            Product(room.Normalised, gate, room.Gate, room);
            Product(room.Normalised, weights.Up, room.Up, room);
            CpuKernels.SwigluForward(room.Gate, room.Up, room.Activated, room.Rows * room.Ffn, room.KernelType);
            return;
        }
        kernels.Linear(
            room.Normalised,
            room.Rows,
            weights.Up.Weight,
            room.Activated,
            new()
            {
                Bias = AddressOf(weights.Up.Bias),
                Pre = room.Up,
                Activation = ProductActivation.Gelu,
            }
        );
    }

    private void Product(nint x, ColumnWeights weights, nint result, LayerRoom room, nint addTo = 0) =>
        kernels.Linear(x, room.Rows, weights.Weight, result, new() { Bias = AddressOf(weights.Bias), Addend = addTo });

    private static nint AddressOf(Tensor? tensor) => tensor is null ? 0 : TensorMemory.DataPointer(tensor);
}
