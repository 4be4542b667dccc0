using System.Text.Json;

namespace Uniscale.Data;

/// <summary>
/// Reads a tokenizer.json of Hugging Face whose model is byte-level BPE. What it asks for and is not done here is a
/// <see cref="FormatException"/> that names it.
/// </summary>
internal static class TokenizerJson
{
    private const int MostIds = 1 << 24;

    /// <summary>Reads a file.</summary>
    /// <exception cref="FormatException">It asks for what is not done, or is no such file.</exception>
    public static ByteLevelRules Read(byte[] utf8)
    {
        try
        {
            using var json = JsonDocument.Parse(utf8);
            return Read(json.RootElement);
        }
        // What a value is not, and texts that are none.
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new FormatException(error.Message.TrimEnd('.'), error);
        }
    }

    private static ByteLevelRules Read(JsonElement file)
    {
        if (file.Text("version") is { } version && version != "1.0")
            throw new FormatException($"version {version}");
        foreach (string setting in (string[])["truncation", "padding"])
            if (file.Field(setting) is not null)
                throw new FormatException($"{setting} of every text (set it to null)");
        var model = file.Field("model") ?? throw new FormatException("no model");
        var splits = PreTokenizerJson.Read(file.Field("pre_tokenizer"), model.Flag("byte_fallback") == true);
        CheckDecoder(file.Field("decoder"));
        var (begin, end) = Template(file.Field("post_processor"));
        var vocabulary = Vocabulary(model);
        return new ByteLevelRules(
            vocabulary,
            Added(file.Field("added_tokens"), vocabulary),
            NormalizerJson.Read(file.Field("normalizer")),
            splits,
            begin,
            end
        );
    }

    private static ByteLevelVocabulary Vocabulary(JsonElement model)
    {
        if (model.Text("type") is { } type && type != "BPE")
            throw new FormatException($"the model {type}");
        if (model.Field("dropout") is { } dropout && dropout.GetDouble() != 0)
            throw new FormatException("dropout of merges");
        foreach (string affix in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
            if (model.Text(affix) is { Length: > 0 } text)
                throw new FormatException($"{affix} '{text}'");
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var entry in (model.Field("vocab") ?? throw new FormatException("no vocabulary")).EnumerateObject())
            ids[entry.Name] = Id(entry.Value, entry.Name);
        if (ids.Values.Distinct().Count() != ids.Count)
            throw new FormatException("two entries of the vocabulary with one number");
        string? unknown = model.Text("unk_token");
        var vocabulary = new ByteLevelVocabulary(ids, [.. Merges(model.Field("merges") ?? throw new FormatException("no merges"))])
        {
            UnknownId =
                unknown is null ? -1
                : ids.TryGetValue(unknown, out int id) ? id
                : throw new FormatException($"the unknown token '{unknown}', which the vocabulary lacks"),
            FusesUnknown = model.Flag("fuse_unk") == true,
            IgnoresMerges = model.Flag("ignore_merges") == true,
        };
        return unknown is null && vocabulary.MissingByte is { } missing
            ? throw new FormatException($"a vocabulary without the byte 0x{missing:X2}, which would vanish from every text")
            : vocabulary;
    }

    private static IEnumerable<(string Left, string Right)> Merges(JsonElement merges)
    {
        foreach (var merge in merges.EnumerateArray())
        {
            if (merge.ValueKind == JsonValueKind.String)
            {
                string line = merge.GetString()!;
                if (line.StartsWith("#version", StringComparison.Ordinal))
                    continue;
                string[] parts = line.Split(' ');
                yield return parts.Length == 2 ? (parts[0], parts[1]) : throw new FormatException($"the merge '{line}', which is no pair");
            }
            else
                yield return merge.GetArrayLength() == 2
                    ? (merge[0].GetString()!, merge[1].GetString()!)
                    : throw new FormatException($"the merge {merge.GetRawText()}, which is no pair");
        }
    }

    /// <summary>Added tokens have the number of the entry of their name, or the next free one, as Hugging Face's library has it.</summary>
    private static List<AddedToken> Added(JsonElement? tokens, ByteLevelVocabulary vocabulary)
    {
        var added = new List<AddedToken>();
        int next = vocabulary.Ids.Count;
        foreach (var token in tokens is { } list ? list.EnumerateArray().ToArray() : [])
        {
            string content = token.Text("content") ?? throw new FormatException("an added token without content");
            int id = Id(token.Field("id") ?? throw new FormatException($"no id of the added token '{content}'"), content);
            if (content.Length == 0)
                continue;
            int given =
                vocabulary.Ids.TryGetValue(content, out int known) ? known
                : added.Find(other => other.Content == content) is { } twin ? twin.Id
                : next++;
            if (given != id)
                throw new FormatException(
                    $"the number {id} of the added token '{content}', which Hugging Face's library would count as {given}"
                );
            if (token.Flag("single_word") == true)
                throw new FormatException($"single_word of the added token '{content}'");
            bool isSpecial = token.Flag("special") == true;
            added.RemoveAll(other => other.Id == id);
            added.Add(
                new AddedToken(
                    id,
                    content,
                    isSpecial,
                    token.Flag("normalized") ?? !isSpecial,
                    token.Flag("lstrip") == true,
                    token.Flag("rstrip") == true
                )
            );
        }
        return added;
    }

    private static int Id(JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int id) && id is >= 0 and < MostIds
            ? id
            : throw new FormatException($"the number {value.GetRawText()} of the token '{name}'");

    private static void CheckDecoder(JsonElement? decoder)
    {
        switch (decoder?.Text("type"))
        {
            case null or "ByteLevel" or "Fuse":
                return;
            case "Sequence":
                foreach (var part in decoder?.Field("decoders")?.EnumerateArray().ToArray() ?? [])
                    CheckDecoder(part);
                return;
            case var other:
                throw new FormatException($"the decoder {other}");
        }
    }

    /// <summary>The special tokens around a text; they are not added, but say where one begins and ends.</summary>
    private static (string? Begin, string? End) Template(JsonElement? processor)
    {
        switch (processor?.Text("type"))
        {
            case null or "ByteLevel":
                return (null, null);
            case "Sequence":
                return (processor?.Field("processors")?.EnumerateArray().ToArray() ?? [])
                    .Select(part => Template(part))
                    .FirstOrDefault(template => template != (null, null));
            case "TemplateProcessing":
                string?[] parts =
                [
                    .. (processor?.Field("single") ?? throw new FormatException("TemplateProcessing without a template"))
                        .EnumerateArray()
                        .Select(part => part.Field("SpecialToken")?.Text("id")),
                ];
                int text = Array.IndexOf(parts, null);
                return (text > 0 ? parts[0] : null, text >= 0 && text < parts.Length - 1 ? parts[^1] : null);
            case "RobertaProcessing" or "BertProcessing":
                return (Name(processor?.Field("cls")), Name(processor?.Field("sep")));
            case var other:
                throw new FormatException($"the post-processor {other}");
        }
    }

    private static string? Name(JsonElement? pair) =>
        pair is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() > 0 ? list[0].GetString() : null;
}
