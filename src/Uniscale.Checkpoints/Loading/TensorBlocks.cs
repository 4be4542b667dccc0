using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.HuggingFace;
using Uniscale.Checkpoints.Memory;

namespace Uniscale.Checkpoints.Loading;

/// <summary>
/// Reads a whole tensor of a checkpoint in blocks of whole rows, in memory bounded by a block (or a row, where that is larger).
/// </summary>
internal static class TensorBlocks
{
    /// <summary>Calls <paramref name="body"/> with the memory and bytes of each block, from the first row to the last.</summary>
    public static void ForEach(CheckpointReader reader, TensorRecord tensor, long blockBytes, Action<nint, int> body) =>
        ForEach(reader, tensor, blockBytes, null, body);

    /// <summary>The same for a stretch of rows; null: all.</summary>
    public static void ForEach(CheckpointReader reader, TensorRecord tensor, long blockBytes, RowRange? stretch, Action<nint, int> body)
    {
        if (tensor.SizeBytes == 0)
            return;
        long all = tensor.Shape.Length == 0 ? 1 : tensor.Shape[0];
        var (first, rows) = stretch ?? new RowRange(0, all);
        long rowBytes = tensor.SizeBytes / all;
        long rowsPerBlock = Math.Clamp(blockBytes / rowBytes, 1, rows);
        nint memory = PageMemory.Allocate(rowsPerBlock * rowBytes);
        try
        {
            for (long row = first; row < first + rows; row += rowsPerBlock)
            {
                long count = Math.Min(rowsPerBlock, first + rows - row);
                reader.Load([SliceOf(tensor, row, count, memory)]);
                body(memory, (int)(count * rowBytes));
            }
        }
        finally
        {
            PageMemory.Free(memory);
        }
    }

    /// <summary>Rows [row, row + count) of a tensor; a scalar is one row.</summary>
    public static StateSlice SliceOf(TensorRecord tensor, long row, long count, nint address) =>
        new(
            tensor.Name,
            tensor.Type,
            tensor.Shape,
            [.. tensor.Shape.Select((_, dim) => dim == 0 ? row : 0)],
            [.. tensor.Shape.Select((extent, dim) => dim == 0 ? count : extent)],
            address
        );
}
