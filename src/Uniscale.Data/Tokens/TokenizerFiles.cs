namespace Uniscale.Data;

/// <summary>The files of a tokenizer: a SentencePiece model, or a tokenizer.json with the tokenizer_config.json beside it.</summary>
public static class TokenizerFiles
{
    /// <summary>Name of a SentencePiece model in a folder.</summary>
    public const string SentencePieceName = "tokenizer.model";

    /// <summary>Name of a model of Hugging Face's library in a folder.</summary>
    public const string JsonName = "tokenizer.json";

    /// <summary>Name of the file beside it that says which tokens begin and end texts.</summary>
    public const string ConfigurationName = "tokenizer_config.json";

    /// <summary>The tokenizer of a folder; null: it holds none. Where there are two, the SentencePiece model is the one.</summary>
    public static string? Find(string folder) =>
        ((string[])[SentencePieceName, JsonName]).Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    /// <summary>Whether a file is a tokenizer.json, by its content.</summary>
    public static bool IsJson(string path)
    {
        using var file = File.OpenRead(path);
        byte[] head = new byte[64];
        return ByteLevelTokenizer.IsOne(head.AsSpan(0, file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false)));
    }

    /// <summary>Copies a tokenizer to a folder, in place of any that is there.</summary>
    /// <returns>The path of the copy.</returns>
    public static string Copy(string path, string folder)
    {
        bool isJson = IsJson(path);
        string copy = Path.Combine(folder, isJson ? JsonName : SentencePieceName);
        if (Path.GetFullPath(path) == Path.GetFullPath(copy))
            return copy;
        File.Copy(path, copy, overwrite: true);
        File.Delete(Path.Combine(folder, isJson ? SentencePieceName : JsonName));
        File.Delete(Path.Combine(folder, ConfigurationName));
        if (isJson && File.Exists(ConfigurationOf(path)))
            File.Copy(ConfigurationOf(path), Path.Combine(folder, ConfigurationName));
        return copy;
    }

    /// <summary>Where the file beside a tokenizer.json is, if there is one.</summary>
    internal static string ConfigurationOf(string path) => Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, ConfigurationName);
}
