using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using System.Text.Json;
using Uniscale.Checkpoints.Memory;
using Uniscale.Checkpoints.Safetensors;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.HuggingFace;

/// <summary>The weights of a Llama from Hugging Face, opened so that they can be saved as a checkpoint.</summary>
public sealed class HuggingFaceImport : IDisposable
{
    private const int BlockElements = 4 << 20;

    private readonly string _scratch;
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly List<StateSlice> _slices = [];

    private HuggingFaceImport(string scratch, long scratchBytes)
    {
        _scratch = scratch;
        _map = MemoryMappedFile.CreateFromFile(scratch, FileMode.Create, null, Math.Max(1, scratchBytes));
        _view = _map.CreateViewAccessor();
    }

    /// <summary>Whole tensors in fp32 under Uniscale's names; valid until this is disposed.</summary>
    public IReadOnlyList<StateSlice> Slices => _slices;

    /// <summary>
    /// Reads all tensors of a folder as fp32 into a mapped scratch file, so that memory stays the system's to take back.
    /// Throws <see cref="CheckpointException"/> for a tensor that Uniscale's Llama does not have.
    /// </summary>
    /// <param name="folder">With <c>model.safetensors</c>, or an index and its files.</param>
    /// <param name="scratchFolder">Where there is room for the weights in fp32.</param>
    public static HuggingFaceImport Open(string folder, string scratchFolder)
    {
        var files = FilesOf(folder).Select(SafeTensorsFile.Open).ToArray();
        try
        {
            var tensors = files.SelectMany(file => file.Header.Entries.Select(entry => (File: file, Entry: entry, Name: OursOf(file, entry)))).ToArray();
            Directory.CreateDirectory(scratchFolder);
            var import = new HuggingFaceImport(
                Path.Combine(scratchFolder, $".import-{Environment.ProcessId}"), tensors.Sum(tensor => ScratchBytes(tensor.Entry)));
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
        finally
        {
            foreach (var file in files)
                file.Dispose();
        }
    }

    public void Dispose()
    {
        _view.Dispose();
        _map.Dispose();
        File.Delete(_scratch);
    }

    private static long ScratchBytes(SafeTensorsEntry entry) => RawMemory.RoundUp(Format.Box.CountOf(entry.Shape) * sizeof(float), 64);

    private void ReadAll(IEnumerable<(SafeTensorsFile File, SafeTensorsEntry Entry, string Name)> tensors)
    {
        var address = _view.SafeMemoryMappedViewHandle.DangerousGetHandle();
        foreach (var (file, entry, name) in tensors)
        {
            ReadAsFloat(file, entry, address);
            _slices.Add(new StateSlice(name, ElementType.Float32, entry.Shape, new long[entry.Shape.Length], entry.Shape, address));
            address += (nint)ScratchBytes(entry);
        }
    }

    private static IEnumerable<string> FilesOf(string folder)
    {
        var index = Path.Combine(folder, HuggingFaceExport.IndexName);
        if (!File.Exists(index))
        {
            var single = Path.Combine(folder, HuggingFaceExport.SingleName);
            return File.Exists(single)
                ? [single]
                : throw new CheckpointException($"{folder} has neither {HuggingFaceExport.SingleName} nor {HuggingFaceExport.IndexName}");
        }
        using var json = JsonDocument.Parse(File.ReadAllBytes(index));
        var names = json.RootElement.GetProperty("weight_map").EnumerateObject().Select(pair => pair.Value.GetString()!).Distinct().ToArray();
        return names.Order(StringComparer.Ordinal).Select(name => Path.Combine(folder, Path.GetFileName(name)));
    }

    private static string OursOf(SafeTensorsFile file, SafeTensorsEntry entry) => LlamaNames.ToOurs(entry.Name)
        ?? throw new CheckpointMismatchException($"{file.Path} holds '{entry.Name}', which Uniscale's Llama does not have");

    private static void ReadAsFloat(SafeTensorsFile file, SafeTensorsEntry entry, nint address)
    {
        var type = entry.ElementType;
        var size = type.SizeBytes();
        var block = new byte[BlockElements * size];
        var count = entry.SizeBytes / size;
        for (long first = 0; first < count; first += BlockElements)
        {
            var elements = (int)Math.Min(BlockElements, count - first);
            var bytes = block.AsSpan(0, elements * size);
            file.Read(entry, first * size, bytes);
            Convert(type, bytes, MemoryMarshal.Cast<byte, float>(RawMemory.Span(address + (nint)(first * sizeof(float)), elements * sizeof(float))), entry.Name);
        }
    }

    private static void Convert(ElementType type, ReadOnlySpan<byte> bytes, Span<float> values, string name)
    {
        switch (type)
        {
            case ElementType.Float32:
                bytes.CopyTo(MemoryMarshal.AsBytes(values));
                break;
            case ElementType.BFloat16:
                var halves = MemoryMarshal.Cast<byte, ushort>(bytes);
                for (var i = 0; i < values.Length; i++)
                    values[i] = BitConverter.Int32BitsToSingle(halves[i] << 16);
                break;
            case ElementType.Float16:
                var small = MemoryMarshal.Cast<byte, Half>(bytes);
                for (var i = 0; i < values.Length; i++)
                    values[i] = (float)small[i];
                break;
            default:
                throw new CheckpointException($"tensor '{name}' has type {type}; weights of F32, BF16 and F16 are read");
        }
    }
}
