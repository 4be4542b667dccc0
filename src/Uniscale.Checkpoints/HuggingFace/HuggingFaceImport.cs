using System.IO.MemoryMappedFiles;
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
        var file = new FileStream(scratch, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.ReadWrite, PreallocationSize = bytes });
        _map = MemoryMappedFile.CreateFromFile(file, null, bytes, MemoryMappedFileAccess.ReadWrite, HandleInheritability.None, leaveOpen: false);
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
    public static HuggingFaceImport Open(string folder, string scratchFolder, IReadOnlyDictionary<string, long[]> parameters)
    {
        using var opened = HuggingFaceFolder.Open(folder);
        var tensors = opened.Match(parameters);
        foreach (var tensor in tensors)
            if (tensor.Entry.ElementType is not (ElementType.Float32 or ElementType.BFloat16 or ElementType.Float16))
                throw new CheckpointException($"tensor '{tensor.Entry.Name}' has type {tensor.Entry.Type}; weights of F32, BF16 and F16 are read");
        Directory.CreateDirectory(scratchFolder);
        var import = new HuggingFaceImport(Path.Combine(scratchFolder, $".import-{Environment.ProcessId}"), tensors.Sum(tensor => ScratchBytes(tensor.Entry)));
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

    private static long ScratchBytes(SafeTensorsEntry entry) => PageMemory.RoundUp(Format.Box.CountOf(entry.Shape) * sizeof(float), 64);

    private void ReadAll(IReadOnlyList<ForeignTensor> tensors)
    {
        // One block for all: a fresh one a tensor would be cleared for each, however small.
        byte[] block = new byte[tensors.Select(tensor => Math.Min(BlockBytes, tensor.Entry.SizeBytes)).DefaultIfEmpty(0).Max()];
        nint address = _view.SafeMemoryMappedViewHandle.DangerousGetHandle();
        foreach (var (file, entry, name) in tensors)
        {
            ReadAsFloat(file, entry, block, address);
            _slices.Add(new StateSlice(name, ElementType.Float32, entry.Shape, new long[entry.Shape.Length], entry.Shape, address));
            address += (nint)ScratchBytes(entry);
        }
    }

    private static void ReadAsFloat(SafeTensorsFile file, SafeTensorsEntry entry, byte[] block, nint address)
    {
        int size = entry.ElementType.SizeBytes();
        for (long start = 0; start < entry.SizeBytes; start += BlockBytes)
        {
            var bytes = block.AsSpan(0, (int)Math.Min(BlockBytes, entry.SizeBytes - start));
            file.Read(entry, start, bytes);
            var values = PageMemory.Span(address + (nint)(start / size * sizeof(float)), bytes.Length / size * sizeof(float));
            Convert(entry.ElementType, bytes, MemoryMarshal.Cast<byte, float>(values));
        }
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
