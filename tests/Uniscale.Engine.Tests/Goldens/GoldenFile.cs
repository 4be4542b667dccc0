using System.Buffers.Binary;
using System.Text.Json;
using static TorchSharp.torch;

namespace Uniscale.Engine.Tests.Goldens;

/// <summary>Tensors of a safetensors file that generate.py wrote.</summary>
internal sealed class GoldenFile : IDisposable
{
    private readonly Dictionary<string, Tensor> _tensors = [];

    public GoldenFile(string preset)
    {
        byte[] file = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Goldens", $"{preset}.safetensors"));
        int headerLength = (int)BinaryPrimitives.ReadUInt64LittleEndian(file);
        using var header = JsonDocument.Parse(file.AsMemory(8, headerLength));
        foreach (var entry in header.RootElement.EnumerateObject().Where(e => e.Name != "__metadata__"))
        {
            long[] shape = [.. entry.Value.GetProperty("shape").EnumerateArray().Select(e => e.GetInt64())];
            int[] range = [.. entry.Value.GetProperty("data_offsets").EnumerateArray().Select(e => e.GetInt32())];
            var type = entry.Value.GetProperty("dtype").GetString() switch
            {
                "F32" => float32,
                "BF16" => bfloat16,
                _ => int64,
            };
            var tensor = empty(shape, type).DetachFromDisposeScope();
            file.AsSpan(8 + headerLength)[range[0]..range[1]].CopyTo(tensor.bytes);
            _tensors[entry.Name] = tensor;
        }
    }

    public Tensor this[string name] => _tensors[name];

    public void Dispose()
    {
        foreach (var tensor in _tensors.Values)
            tensor.Dispose();
    }
}
