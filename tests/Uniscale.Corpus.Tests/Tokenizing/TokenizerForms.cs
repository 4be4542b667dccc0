using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Uniscale.Corpus.Tests;

/// <summary>A made byte-level vocabulary in the forms of published tokenizer.json files, with ids (Goldens/tokenizers.mjs).</summary>
internal static class TokenizerForms
{
    private static readonly JsonSerializerOptions AsWritten = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The forms, texts, and their ids.</summary>
    public static JsonObject Goldens { get; } =
        JsonNode.Parse(File.ReadAllText(Repository.PathOf("tests/Uniscale.Corpus.Tests/Goldens/tokenizers.json")))!.AsObject();

    /// <summary>Names of the forms.</summary>
    public static IEnumerable<string> Names => Goldens["forms"]!.AsObject().Select(form => form.Key);

    /// <summary>The file of a form, in which what the forms share is not repeated.</summary>
    public static JsonObject Of(string form)
    {
        var file = Goldens["forms"]![form]!["model"]!.DeepClone().AsObject();
        var model = file["model"]!;
        model["vocab"] ??= Goldens["vocab"]!.DeepClone();
        if (model["merges"] is JsonValue)
            model["merges"] = new JsonArray([.. Goldens["merges"]!.AsArray().Select(pair => JsonValue.Create($"{pair![0]} {pair[1]}"))]);
        model["merges"] ??= Goldens["merges"]!.DeepClone();
        return file;
    }

    /// <summary>Writes a file into a folder.</summary>
    /// <returns>Its path.</returns>
    public static string Write(JsonObject file, string folder)
    {
        string path = Path.Combine(folder, "tokenizer.json");
        File.WriteAllText(path, file.ToJsonString(AsWritten));
        return path;
    }
}
