using Uniscale.Configuration;
using Uniscale.Corpus.Reading.Decompression;

namespace Uniscale.Corpus;

/// <summary>Files that may be compressed.</summary>
public static class TextFiles
{
    /// <summary>Opens a file for reading, decompressed where its first bytes are those of a compression.</summary>
    /// <exception cref="UserErrorException">The file does not exist.</exception>
    /// <exception cref="InvalidDataException">Its name says that it is compressed, and it is not.</exception>
    public static Stream Open(string path)
    {
        if (!File.Exists(path))
            throw new UserErrorException($"{path} does not exist; give a text or JSONL file, or a store made by `uniscale data import`.");
        string name = path;
        return Decompressor.Decompress(
            new PeekStream(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.SequentialScan)),
            ref name,
            [],
            allowsText: false
        );
    }

    /// <summary>The path without the extension of its compression.</summary>
    public static string WithoutCompression(string path) => Decompressor.PlainName(path);

    /// <summary>True for JSON lines by their name, compressed or not.</summary>
    public static bool IsJsonLines(string path) => Path.GetExtension(WithoutCompression(path)).ToLowerInvariant() is ".jsonl" or ".ndjson";

    /// <summary>Turns a broken archive into a sentence that names it.</summary>
    internal static IEnumerable<T> Guarded<T>(IEnumerable<T> items, string path)
    {
        using var enumerator = items.GetEnumerator();
        while (true)
        {
            try
            {
                if (!enumerator.MoveNext())
                    yield break;
            }
            catch (Exception error) when (error is InvalidDataException or EndOfStreamException)
            {
                throw new UserErrorException(
                    $"{path} cannot be decompressed ({error.Message.TrimEnd('.')}); it is cut, damaged or not what its name says.",
                    error
                );
            }
            yield return enumerator.Current;
        }
    }
}
