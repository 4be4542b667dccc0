using System.Text.Json;
using System.Text.RegularExpressions;
using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Safetensors;

namespace Uniscale.Checkpoints.HuggingFace;

/// <summary>A tensor of a Hugging Face folder that a model here takes.</summary>
/// <param name="File">Its file.</param>
/// <param name="Entry">Its place there.</param>
/// <param name="Name">Uniscale's name.</param>
internal sealed record ForeignTensor(SafeTensorsFile File, SafeTensorsEntry Entry, string Name)
{
    /// <summary>The rows that it is, in order; null: all.</summary>
    public IReadOnlyList<RowRange>? Rows { get; init; }

    /// <summary>Its shape.</summary>
    public long[] Shape => Rows is null ? Entry.Shape : [Rows.Sum(rows => rows.Count), .. Entry.Shape[1..]];
}

/// <summary>The safetensors files of a Hugging Face folder, held against the parameters that the model must have.</summary>
internal sealed partial class HuggingFaceFolder : IDisposable
{
    private const string EmbeddingName = "embedding.tokens.weight";
    private const string OutputName = "head.output.weight";
    private const string AdapterName = "adapter_config.json";
    private const int BlockBytes = 1 << 20;

    private readonly string _folder;
    private readonly List<SafeTensorsFile> _files = [];

    private HuggingFaceFolder(string folder) => this._folder = folder;

    /// <summary>Opens all files and proves their headers.</summary>
    public static HuggingFaceFolder Open(string folder)
    {
        if (File.Exists(Path.Combine(folder, AdapterName)))
            throw new CheckpointException(
                $"{folder} holds {AdapterName}: the weights of an adapter, which are added to those of another model; merge the two with the library that trained it, and import what it saves"
            );
        var opened = new HuggingFaceFolder(folder);
        try
        {
            var index = opened.ReadIndex();
            foreach (
                string name in index?.Values.Distinct().Order(StringComparer.Ordinal) ?? (IEnumerable<string>)[HuggingFaceExport.SingleName]
            )
                opened._files.Add(SafeTensorsFile.Open(Path.Combine(folder, name)));
            if (index is not null)
                opened.ProveIndex(index);
            return opened;
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>
    /// The tensors of the model's parameters. Throws <see cref="CheckpointMismatchException"/> where one is missing, has another shape, or
    /// where the files
    /// hold one that the model does not have; rotary frequencies that old versions stored, and a head equal to the embedding that it is
    /// tied to, are passed over.
    /// </summary>
    /// <param name="parameters">Shape of each parameter of the model by Uniscale's name.</param>
    /// <param name="names">The names that the model's family has.</param>
    public IReadOnlyList<ForeignTensor> Match(IReadOnlyDictionary<string, long[]> parameters, FamilyNames names)
    {
        var found = new Dictionary<string, ForeignTensor>(StringComparer.Ordinal);
        foreach (var file in _files)
            foreach (var entry in file.Header.Entries)
            {
                if (RotaryFrequencies().IsMatch(entry.Name))
                    continue;
                var parts = names.ToOurs(entry.Name);
                if (parts.Count == 0)
                    throw new CheckpointMismatchException($"{file.Path} holds '{entry.Name}', which {names.Title} does not have");
                if (parts[0].Rows is not null && entry.Shape.FirstOrDefault() != names.PackedRows)
                    throw new CheckpointMismatchException(
                        $"{file.Path}: '{entry.Name}' has {entry.Shape.FirstOrDefault()} rows, the heads of {LlamaConfig.FileName} want {names.PackedRows}"
                    );
                foreach (var (name, rows) in parts)
                {
                    if (!parameters.ContainsKey(name) && name != OutputName)
                        throw new CheckpointMismatchException(
                            $"{file.Path} holds '{entry.Name}', which the model of {LlamaConfig.FileName} does not have"
                        );
                    if (!found.TryAdd(name, new ForeignTensor(file, entry, name) { Rows = rows }))
                        throw new CheckpointMismatchException($"{file.Path} holds '{entry.Name}', which {found[name].File.Path} holds too");
                }
            }
        foreach (var (name, shape) in parameters)
        {
            if (!found.TryGetValue(name, out var tensor))
                throw new CheckpointMismatchException(
                    $"{_folder} has no tensor '{names.ToTheirs(name)}', which the model of {LlamaConfig.FileName} has"
                );
            if (!tensor.Shape.AsSpan().SequenceEqual(shape))
                throw new CheckpointMismatchException(
                    $"{tensor.File.Path}: '{tensor.Entry.Name}' has the shape {Box.Show(tensor.Shape)}, the model of {LlamaConfig.FileName} wants {Box.Show(shape)}"
                );
        }
        if (!parameters.ContainsKey(OutputName) && found.Remove(OutputName, out var head) && !SameBytes(head, found[EmbeddingName]))
            throw new CheckpointMismatchException(
                $"{head.File.Path}: '{head.Entry.Name}' differs from the embedding although tie_word_embeddings is true"
            );
        return [.. parameters.Keys.Select(name => found[name])];
    }

    public void Dispose() => _files.ForEach(file => file.Dispose());

    private Dictionary<string, string>? ReadIndex()
    {
        var (path, single) = (Path.Combine(_folder, HuggingFaceExport.IndexName), Path.Combine(_folder, HuggingFaceExport.SingleName));
        if (!File.Exists(path))
        {
            return File.Exists(single)
                ? null
                : throw new CheckpointException(
                    $"{_folder} has neither {HuggingFaceExport.SingleName} nor {HuggingFaceExport.IndexName}; weights in other formats are not read"
                );
        }
        if (File.Exists(single))
            throw new CheckpointException(
                $"{_folder} has both {HuggingFaceExport.SingleName} and {HuggingFaceExport.IndexName}; take the one away that is not meant"
            );
        try
        {
            using var stream = File.OpenRead(path);
            if (stream.Length > SafeTensorsHeader.LimitBytes)
                throw new CheckpointException($"{path} has {stream.Length} bytes, more than {SafeTensorsHeader.LimitBytes}");
            using var json = JsonDocument.Parse(stream, new JsonDocumentOptions { AllowDuplicateProperties = false });
            var map = json
                .RootElement.GetProperty("weight_map")
                .EnumerateObject()
                .ToDictionary(pair => pair.Name, pair => pair.Value.GetString() ?? "");
            return map.Values.FirstOrDefault(name => !ManifestRules.IsPlainName(name)) is { } odd
                    ? throw new CheckpointException($"{path} names the file '{odd}', which is none of the folder")
                : map.Count > 0 ? map
                : throw new CheckpointException($"{path} names no tensor");
        }
        catch (Exception failure)
            when (failure
                    is JsonException
                        or InvalidOperationException
                        or KeyNotFoundException
                        or IOException
                        or UnauthorizedAccessException
            )
        {
            throw new CheckpointException(
                $"{path} is no index of safetensors files ({failure.Message.ReplaceLineEndings(" ").TrimEnd('.')})",
                failure
            );
        }
    }

    private void ProveIndex(Dictionary<string, string> index)
    {
        var held = _files.ToDictionary(file => Path.GetFileName(file.Path));
        foreach (var (tensor, file) in index)
            if (!held[file].Contains(tensor))
                throw new CheckpointMismatchException(
                    $"{held[file].Path} has no tensor '{tensor}', which {HuggingFaceExport.IndexName} says it holds"
                );
    }

    private static bool SameBytes(ForeignTensor one, ForeignTensor other)
    {
        if (one.Entry.Type != other.Entry.Type || !one.Entry.Shape.AsSpan().SequenceEqual(other.Entry.Shape))
            return false;
        var (left, right) = (new byte[BlockBytes], new byte[BlockBytes]);
        for (long offset = 0; offset < one.Entry.SizeBytes; offset += BlockBytes)
        {
            int count = (int)Math.Min(BlockBytes, one.Entry.SizeBytes - offset);
            one.File.Read(one.Entry, offset, left.AsSpan(0, count));
            other.File.Read(other.Entry, offset, right.AsSpan(0, count));
            if (!left.AsSpan(0, count).SequenceEqual(right.AsSpan(0, count)))
                return false;
        }
        return true;
    }

    [GeneratedRegex(@"^model\.(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq$")]
    private static partial Regex RotaryFrequencies();
}
