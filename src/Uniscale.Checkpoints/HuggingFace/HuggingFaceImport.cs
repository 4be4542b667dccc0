using System.IO.MemoryMappedFiles;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Uniscale.Checkpoints.Memory;
using Uniscale.Checkpoints.Safetensors;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.HuggingFace;

/// <summary>The weights of a Llama from Hugging Face, opened so that they can be saved as a checkpoint.</summary>
public sealed class HuggingFaceImport : IDisposable
{
    private const int BlockBytes = 16 << 20;

    private readonly string _scratch;
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly List<StateSlice> _slices = [];

    private HuggingFaceImport(string scratch, long scratchBytes)
    {
        _scratch = scratch;
        long bytes = Math.Max(1, scratchBytes);
        // Room is taken now: a disk that fills up while the map is written would end the process.
        var file = new FileStream(
            scratch,
            new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.ReadWrite,
                PreallocationSize = bytes,
            }
        );
        _map = MemoryMappedFile.CreateFromFile(
            file,
            null,
            bytes,
            MemoryMappedFileAccess.ReadWrite,
            HandleInheritability.None,
            leaveOpen: false
        );
        _view = _map.CreateViewAccessor();
    }

    /// <summary>Whole tensors in fp32 under Uniscale's names; valid until this is disposed.</summary>
    public IReadOnlyList<StateSlice> Slices => _slices;

    /// <summary>
    /// Reads the tensors of a model as fp32 into a mapped scratch file, so that memory stays the system's to take back.
    /// Throws <see cref="CheckpointException"/> where the folder's tensors are not exactly those of the model, before anything is written.
    /// </summary>
    /// <param name="folder">With <c>model.safetensors</c>, or an index and its files.</param>
    /// <param name="scratchFolder">Where there is room for the weights in fp32.</param>
    /// <param name="parameters">Shape of each parameter of the model by Uniscale's name.</param>
    /// <param name="config">Its <c>config.json</c>, which says by what names and in what order of rows the tensors are kept.</param>
    public static HuggingFaceImport Open(
        string folder,
        string scratchFolder,
        IReadOnlyDictionary<string, long[]> parameters,
        LlamaConfig config
    )
    {
        using var opened = HuggingFaceFolder.Open(folder);
        var tensors = opened.Match(parameters, new FamilyNames(config));
        foreach (var tensor in tensors)
            if (tensor.Entry.ElementType is not (ElementType.Float32 or ElementType.BFloat16 or ElementType.Float16))
                throw new CheckpointException(
                    $"tensor '{tensor.Entry.Name}' has type {tensor.Entry.Type}; weights of F32, BF16 and F16 are read"
                );
        Directory.CreateDirectory(scratchFolder);
        var import = new HuggingFaceImport(Path.Combine(scratchFolder, $".import-{Environment.ProcessId}"), tensors.Sum(ScratchBytes));
        try
        {
            import.ReadAll(tensors);
            return import;
        }
        catch
        {
            import.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _view.Dispose();
        _map.Dispose();
        File.Delete(_scratch);
    }

    private static long ScratchBytes(ForeignTensor tensor) => PageMemory.RoundUp(Format.Box.CountOf(tensor.Shape) * sizeof(float), 64);

    private void ReadAll(IReadOnlyList<ForeignTensor> tensors)
    {
        // One block for all: a fresh one a tensor would be cleared for each, however small.
        byte[] block = new byte[tensors.Select(tensor => Math.Min(BlockBytes, tensor.Entry.SizeBytes)).DefaultIfEmpty(0).Max()];
        nint address = _view.SafeMemoryMappedViewHandle.DangerousGetHandle();
        foreach (var tensor in tensors)
        {
            nint at = address;
            foreach (var (first, bytes) in Stretches(tensor))
                at = ReadAsFloat(tensor.File, tensor.Entry, first, bytes, block, at);
            _slices.Add(
                new StateSlice(tensor.Name, ElementType.Float32, tensor.Shape, new long[tensor.Shape.Length], tensor.Shape, address)
            );
            address += (nint)ScratchBytes(tensor);
        }
    }

    /// <summary>Where a tensor's bytes begin in the file's tensor, and how many follow.</summary>
    private static IEnumerable<(long First, long Bytes)> Stretches(ForeignTensor tensor)
    {
        if (tensor.Rows is null)
            return [(0, tensor.Entry.SizeBytes)];
        long row = tensor.Entry.SizeBytes / tensor.Entry.Shape[0];
        return tensor.Rows.Select(rows => (rows.First * row, rows.Count * row));
    }

    /// <summary>Reads a stretch; the address behind what it became.</summary>
    private static nint ReadAsFloat(SafeTensorsFile file, SafeTensorsEntry entry, long first, long length, byte[] block, nint address)
    {
        int size = entry.ElementType.SizeBytes();
        for (long start = 0; start < length; start += BlockBytes)
        {
            var bytes = block.AsSpan(0, (int)Math.Min(BlockBytes, length - start));
            file.Read(entry, first + start, bytes);
            var values = PageMemory.Span(address + (nint)(start / size * sizeof(float)), bytes.Length / size * sizeof(float));
            var floats = MemoryMarshal.Cast<byte, float>(values);
            Convert(entry.ElementType, bytes, floats);
            if (!TensorPrimitives.IsFiniteAll<float>(floats))
                throw new CheckpointException(
                    $"tensor '{entry.Name}' holds numbers that are not finite (NaN or infinity): the file is damaged, or the model is; take another copy"
                );
        }
        return address + (nint)(length / size * sizeof(float));
    }

    private static void Convert(ElementType type, ReadOnlySpan<byte> bytes, Span<float> values)
    {
        switch (type)
        {
            case ElementType.Float32:
                bytes.CopyTo(MemoryMarshal.AsBytes(values));
                break;
            case ElementType.BFloat16:
                var halves = MemoryMarshal.Cast<byte, ushort>(bytes);
                for (int i = 0; i < values.Length; i++)
                    values[i] = BitConverter.Int32BitsToSingle(halves[i] << 16);
                break;
            default:
                var small = MemoryMarshal.Cast<byte, Half>(bytes);
                for (int i = 0; i < values.Length; i++)
                    values[i] = (float)small[i];
                break;
        }
    }
}
