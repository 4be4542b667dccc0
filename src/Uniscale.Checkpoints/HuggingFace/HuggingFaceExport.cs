using System.Globalization;
using System.Text.Json;
using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Loading;
using Uniscale.Checkpoints.Memory;
using Uniscale.Checkpoints.Safetensors;

namespace Uniscale.Checkpoints.HuggingFace;

/// <summary>Writes the weights of a checkpoint as Hugging Face keeps a Llama's: whole tensors in sharded safetensors with an index.</summary>
public static class HuggingFaceExport
{
    /// <summary>Size of a file that is not passed, unless by one tensor alone.</summary>
    public const long DefaultShardBytes = 5_000_000_000;

    internal const string IndexName = "model.safetensors.index.json";

    internal const string SingleName = "model.safetensors";

    private const long BlockBytes = 16 << 20;

    private static readonly Dictionary<string, string> Metadata = new() { ["format"] = "pt" };

    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true };

    /// <summary>Writes the tensors that a Llama has; memory is bounded by a block. Returns the number of tensors.</summary>
    /// <param name="reader">A checkpoint of any layout.</param>
    /// <param name="folder">Receives the files.</param>
    /// <param name="shardBytes">Bytes of tensors in a file.</param>
    public static int Write(CheckpointReader reader, string folder, long shardBytes = DefaultShardBytes)
    {
        Directory.CreateDirectory(folder);
        var tensors = reader.Manifest.Tensors.Where(tensor => LlamaNames.ToTheirs(tensor.Name) is not null).ToArray();
        if (tensors.Length == 0)
            throw new CheckpointException($"{reader.Folder} holds no weights of a model");
        var shards = Shards(tensors, shardBytes);
        var weightMap = new SortedDictionary<string, string>(StringComparer.Ordinal);
        for (int i = 0; i < shards.Count; i++)
        {
            string name = shards.Count == 1
                ? SingleName
                : string.Create(CultureInfo.InvariantCulture, $"model-{i + 1:00000}-of-{shards.Count:00000}.safetensors");
            WriteShard(reader, shards[i], Path.Combine(folder, name));
            foreach (var tensor in shards[i])
                weightMap[LlamaNames.ToTheirs(tensor.Name)!] = name;
        }
        if (shards.Count > 1)
        {
            var index = new { metadata = new { total_size = tensors.Sum(tensor => tensor.SizeBytes) }, weight_map = weightMap };
            File.WriteAllText(Path.Combine(folder, IndexName), JsonSerializer.Serialize(index, Json) + "\n");
        }
        return tensors.Length;
    }

    private static List<List<TensorRecord>> Shards(IEnumerable<TensorRecord> tensors, long shardBytes)
    {
        var shards = new List<List<TensorRecord>> { new() };
        long size = 0;
        foreach (var tensor in tensors)
        {
            if (size > 0 && size + tensor.SizeBytes > shardBytes)
            {
                shards.Add([]);
                size = 0;
            }
            shards[^1].Add(tensor);
            size += tensor.SizeBytes;
        }
        return shards;
    }

    private static void WriteShard(CheckpointReader reader, List<TensorRecord> tensors, string path)
    {
        byte[] header = SafeTensorsHeader.Build(tensors.Select(tensor => (LlamaNames.ToTheirs(tensor.Name)!, tensor.Type, tensor.Shape)), Metadata);
        using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
        RandomAccess.Write(file, header, 0);
        long position = header.Length;
        foreach (var tensor in tensors)
        {
            TensorBlocks.ForEach(reader, tensor, BlockBytes, (address, bytes) =>
            {
                RandomAccess.Write(file, PageMemory.Span(address, bytes), position);
                position += bytes;
            });
        }
        RandomAccess.FlushToDisk(file);
    }
}
