using System.Globalization;
using System.Text.Json;
using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Loading;
using Uniscale.Checkpoints.Memory;
using Uniscale.Checkpoints.Safetensors;

namespace Uniscale.Checkpoints.HuggingFace;

/// <summary>
/// Writes the weights of a checkpoint as Hugging Face keeps a Llama's: whole tensors in sharded safetensors with an index.
/// </summary>
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
    /// <param name="config">The model's <c>config.json</c>, which says by what names and in what order of rows tensors are kept.</param>
    /// <param name="shardBytes">Bytes of tensors in a file.</param>
    public static int Write(CheckpointReader reader, string folder, LlamaConfig config, long shardBytes = DefaultShardBytes)
    {
        Directory.CreateDirectory(folder);
        var tensors = Outgoing(reader, new FamilyNames(config));
        if (tensors.Count == 0)
            throw new CheckpointException($"{reader.Folder} holds no weights of a model");
        var shards = Shards(tensors, shardBytes);
        var weightMap = new SortedDictionary<string, string>(StringComparer.Ordinal);
        for (int i = 0; i < shards.Count; i++)
        {
            string name =
                shards.Count == 1
                    ? SingleName
                    : string.Create(CultureInfo.InvariantCulture, $"model-{i + 1:00000}-of-{shards.Count:00000}.safetensors");
            WriteShard(reader, shards[i], Path.Combine(folder, name));
            foreach (var tensor in shards[i])
                weightMap[tensor.Name] = name;
        }
        if (shards.Count > 1)
        {
            var index = new { metadata = new { total_size = tensors.Sum(tensor => tensor.SizeBytes) }, weight_map = weightMap };
            File.WriteAllText(Path.Combine(folder, IndexName), JsonSerializer.Serialize(index, Json) + "\n");
        }
        return tensors.Count;
    }

    /// <summary>The tensors of the files, in the order of the checkpoint; a packed one stands where the first of its parts does.</summary>
    private static List<OutgoingTensor> Outgoing(CheckpointReader reader, FamilyNames names)
    {
        var outgoing = new List<OutgoingTensor>();
        foreach (
            var group in reader
                .Manifest.Tensors.Where(tensor => names.ToTheirs(tensor.Name) is not null)
                .GroupBy(tensor => names.ToTheirs(tensor.Name)!)
        )
        {
            var held = group.ToDictionary(tensor => tensor.Name);
            var parts = names.ToOurs(group.Key);
            // Row by row of the foreign tensor: which parameter has them, and from which of its rows on.
            outgoing.Add(
                new OutgoingTensor(
                    group.Key,
                    parts is [(_, null)]
                        ? [(group.First(), null)]
                        :
                        [
                            .. parts
                                .SelectMany(part => Stretches(held[part.Name], part.Rows!))
                                .OrderBy(stretch => stretch.Theirs)
                                .Select(stretch => (stretch.Tensor, (RowRange?)stretch.Rows)),
                        ]
                )
            );
        }
        return outgoing;
    }

    private static IEnumerable<(TensorRecord Tensor, long Theirs, RowRange Rows)> Stretches(
        TensorRecord tensor,
        IReadOnlyList<RowRange> theirs
    )
    {
        long first = 0;
        foreach (var rows in theirs)
        {
            yield return (tensor, rows.First, new RowRange(first, rows.Count));
            first += rows.Count;
        }
    }

    private static List<List<OutgoingTensor>> Shards(IEnumerable<OutgoingTensor> tensors, long shardBytes)
    {
        var shards = new List<List<OutgoingTensor>> { new() };
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

    private static void WriteShard(CheckpointReader reader, List<OutgoingTensor> tensors, string path)
    {
        byte[] header = SafeTensorsHeader.Build(
            tensors.Select(tensor => (tensor.Name, tensor.Parts[0].Tensor.Type, tensor.Shape)),
            Metadata
        );
        using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
        RandomAccess.Write(file, header, 0);
        long position = header.Length;
        foreach (var (tensor, rows) in tensors.SelectMany(tensor => tensor.Parts))
        {
            TensorBlocks.ForEach(
                reader,
                tensor,
                BlockBytes,
                rows,
                (address, bytes) =>
                {
                    RandomAccess.Write(file, PageMemory.Span(address, bytes), position);
                    position += bytes;
                }
            );
        }
        RandomAccess.FlushToDisk(file);
    }
}

/// <summary>A tensor of an export.</summary>
/// <param name="Name">Its name there.</param>
/// <param name="Parts">The tensors of the checkpoint whose rows it holds, one stretch after the other; null: all rows.</param>
internal sealed record OutgoingTensor(string Name, IReadOnlyList<(TensorRecord Tensor, RowRange? Rows)> Parts)
{
    /// <summary>Its shape.</summary>
    public long[] Shape =>
        Parts is [(var whole, null)] ? whole.Shape : [Parts.Sum(part => part.Rows!.Value.Count), .. Parts[0].Tensor.Shape[1..]];

    /// <summary>Its bytes.</summary>
    public long SizeBytes =>
        Parts is [(var whole, null)]
            ? whole.SizeBytes
            : Parts.Sum(part => part.Tensor.SizeBytes / part.Tensor.Shape[0] * part.Rows!.Value.Count);
}
