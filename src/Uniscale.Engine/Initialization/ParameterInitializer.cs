using System.Runtime.InteropServices;
using Uniscale.Engine.Parallel;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Initialization;

/// <summary>
/// Gives parameters their first values as a function of (seed, name, global element), so that a rank fills its own part of a tensor
/// and every layout starts from the same weights.
/// </summary>
public static class ParameterInitializer
{
    /// <summary>Elements that one task fills, a bound on the copy that other types than fp32 need.</summary>
    private const long TaskSize = 1 << 18;

    /// <summary>Fills this rank's part of a parameter; padding becomes 0.</summary>
    /// <param name="target">Contiguous tensor in host memory of the local shape, fp32 or bf16.</param>
    /// <param name="parameter">The part.</param>
    /// <param name="seed">Seed of the run.</param>
    public static void Fill(Tensor target, LocalParameter parameter, long seed)
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        var initializer = parameter.Spec.Initializer;
        if (parameter.Extent[0] < parameter.Shape[0])
            target.narrow(0, parameter.Extent[0], parameter.Shape[0] - parameter.Extent[0]).zero_();
        if (initializer.Std == 0)
            target.narrow(0, 0, parameter.Extent[0]).fill_(Scalars.Of(initializer.Constant));
        else
            FillNormal(target, parameter, new NormalStream(seed, parameter.Spec.Name), (float)initializer.Std);
    }

    private static void FillNormal(Tensor target, LocalParameter parameter, NormalStream stream, float std)
    {
        // Rows of the part are runs of consecutive global elements; a part that holds whole rows is one run.
        long width = parameter.Extent[1..].Aggregate(1L, (a, b) => a * b);
        long globalWidth = parameter.Spec.Shape[1..].Aggregate(1L, (a, b) => a * b);
        long firstColumn = parameter.Offset.Length > 1 ? parameter.Offset[1] : 0;
        long rowsPerTask = Math.Max(1, TaskSize / width);
        long tasks = (parameter.Extent[0] + rowsPerTask - 1) / rowsPerTask;
        System.Threading.Tasks.Parallel.For(
            0,
            tasks,
            task =>
            {
                using var scope = NewDisposeScope();
                long row = task * rowsPerTask;
                long count = Math.Min(rowsPerTask, parameter.Extent[0] - row);
                var rows = target.narrow(0, row, count);
                var values = target.dtype == float32 ? rows : empty([count * width], float32);
                var span = MemoryMarshal.Cast<byte, float>(values.bytes);
                for (long r = 0; r < count; r++)
                {
                    long first = ((parameter.Offset[0] + row + r) * globalWidth) + firstColumn;
                    stream.Fill(span.Slice((int)(r * width), (int)width), first, std);
                }
                if (target.dtype != float32)
                    rows.copy_(values.view(rows.shape));
            }
        );
    }
}
