using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Corpus;

/// <summary>How a vocabulary is trained.</summary>
public sealed record TokenizerTraining
{
    /// <summary>
    /// Number of tokens. The default, 65.5K, is the largest multiple of 64 whose tokens Megatron still stores in 16 bits.
    /// </summary>
    public int VocabularySize { get; init; } = 65_472;

    /// <summary>Characters outside the vocabulary become bytes, so that any text can be encoded and comes back as it was.</summary>
    public bool ByteFallback { get; init; } = true;

    /// <summary>Each digit is a token of its own.</summary>
    public bool SplitDigits { get; init; } = true;

    /// <summary>Share of the sample's characters that get an entry of their own.</summary>
    public double CharacterCoverage { get; init; } = 0.9995;

    /// <summary>Threads that train.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Bytes of text that the vocabulary is trained on at most; lines are drawn evenly from all documents.</summary>
    public long SampleBytes { get; init; } = 300_000_000;

    /// <summary>Pieces that stand for themselves and are never split, e.g. markers of a dialogue.</summary>
    public IReadOnlyList<string> Symbols { get; init; } = [];
}

/// <summary>Trains SentencePiece BPE models on documents, in memory bounded by the sample.</summary>
public static partial class TokenizerTrainer
{
    private const int ErrorBytes = 4096;

    /// <summary>What SentencePiece takes at least.</summary>
    private const double MinCoverage = 0.98;

    /// <summary>Trains a vocabulary and writes it to <paramref name="modelPath"/>.</summary>
    /// <returns>The sample's size in bytes.</returns>
    /// <exception cref="UserErrorException">There is no text, or too little of it for the vocabulary.</exception>
    public static long Train(IEnumerable<DocumentPart> documents, string modelPath, TokenizerTraining training)
    {
        Check(training);
        using var own = WorkLock.Of(modelPath);
        string directory = Path.GetDirectoryName(Path.GetFullPath(modelPath))!;
        string work = Path.Combine(directory, $".{Path.GetFileName(modelPath)}.training");
        Directory.CreateDirectory(work);
        try
        {
            string samplePath = Path.Combine(work, "sample.txt"),
                prefix = Path.Combine(work, "trained");
            long bytes = LineSample.Draw(documents, training.SampleBytes).WriteTo(samplePath);
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive); // the sample is a file now, and SentencePiece needs the memory
            if (bytes == 0)
                throw new UserErrorException("There is no text to train a tokenizer on: the documents are empty.");
            Run(Options(training, samplePath, prefix), training);
            CheckSymbols(prefix + ".model", training.Symbols);
            File.Move(prefix + ".model", modelPath, overwrite: true);
            return bytes;
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    /// <summary>What SentencePiece made of the list is what was asked for.</summary>
    private static void CheckSymbols(string path, IReadOnlyList<string> symbols)
    {
        using var trained = Tokenizer.Load(path);
        foreach (string symbol in symbols)
            if (trained.PieceOf(trained.IdOf(symbol)).Text != symbol)
                throw new UserErrorException(
                    $"--symbol '{symbol}' did not become a piece of the vocabulary: SentencePiece does not take it."
                );
    }

    /// <summary>A value of a list, which SentencePiece reads as comma-separated values.</summary>
    private static string Quoted(string value) =>
        value.AsSpan().ContainsAny(",\"\r\n") ? $"\"{value.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : value;

    private static void Check(TokenizerTraining training)
    {
        if (training.VocabularySize < 1)
            throw new UserErrorException(
                $"A vocabulary of {training.VocabularySize} tokens is none: give --vocabulary a number such as 32000."
            );
        if (training.CharacterCoverage is not (>= MinCoverage and <= 1))
            throw new UserErrorException(
                $"The character coverage is {Number(training.CharacterCoverage)}: give --character-coverage a share from {Number(MinCoverage)} to 1."
            );
        if (training.SampleBytes < 1)
            throw new UserErrorException($"A sample of {training.SampleBytes} bytes is none: give --sample a size such as 300M.");
        WorkerCount.Check(training.Threads, "--threads");
        if (training.Symbols.GroupBy(symbol => symbol).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new UserErrorException($"--symbol '{twice.Key}' is given twice: give it once.");
        foreach (string symbol in training.Symbols)
        {
            if (symbol.Length == 0 || symbol.Any(c => char.IsWhiteSpace(c) || char.IsControl(c)))
                throw new UserErrorException(
                    $"--symbol '{symbol}' cannot be a piece: a space in a text is another character by the time symbols are looked for; give one without spaces."
                );
        }
    }

    private static Dictionary<string, string> Options(TokenizerTraining training, string samplePath, string prefix)
    {
        var options = new Dictionary<string, string>
        {
            ["input"] = Quoted(samplePath),
            ["model_prefix"] = prefix,
            ["model_type"] = "bpe",
            ["vocab_size"] = Number(training.VocabularySize),
            ["character_coverage"] = Number(training.CharacterCoverage),
            ["byte_fallback"] = Flag(training.ByteFallback),
            ["split_digits"] = Flag(training.SplitDigits),
            ["num_threads"] = Number(training.Threads),
            ["max_sentence_length"] = Number(LineSample.MaxLineBytes + 1),
            // Text must come back as it was: no rewriting of characters, and runs of spaces (code) are kept and may become tokens.
            ["normalization_rule_name"] = "identity",
            ["remove_extra_whitespaces"] = "false",
            ["allow_whitespace_only_pieces"] = "true",
            ["minloglevel"] = "2",
        };
        // The sample is of lines: it never shows what ends them, which without bytes would be unknown in every text. As a required
        // character it would end the
        // process: SentencePiece's trainer insists that such a character occurs.
        string[] symbols = [.. training.Symbols, .. training.ByteFallback ? [] : (string[])["\n", "\r"]];
        if (symbols.Length > 0)
            options["user_defined_symbols"] = string.Join(',', symbols.Select(Quoted));
        return options;
    }

    private static void Run(Dictionary<string, string> options, TokenizerTraining training)
    {
        string[] pairs = [.. options.SelectMany(option => (string[])[option.Key, option.Value])];
        byte[] error = new byte[ErrorBytes];
        if (SentencePieceLibrary.Train(pairs, options.Count, error, error.Length) == 0)
            return;
        string message = Encoding.UTF8.GetString(error, 0, Math.Max(0, Array.IndexOf(error, (byte)0))).Trim();
        if (SmallestVocabulary().Match(message) is { Success: true } least)
        {
            throw new UserErrorException(
                $"A vocabulary of {training.VocabularySize} has no room for the {least.Groups[1].Value} single characters, bytes and special tokens of this text: give a larger --vocabulary, or a lower --character-coverage."
            );
        }
        throw LargestVocabulary().Match(message) is { Success: true } match
            ? new UserErrorException(
                $"The text is too little for a vocabulary of {training.VocabularySize}; it gives {match.Groups[1].Value}: give more text, or a smaller --vocabulary."
            )
            : new InvalidOperationException($"SentencePiece could not train: {message}");
    }

    [GeneratedRegex(@"too high.*<= (\d+)")]
    private static partial Regex LargestVocabulary();

    [GeneratedRegex(@"required_chars\. \d+ vs (\d+)")]
    private static partial Regex SmallestVocabulary();

    private static string Number(double value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Flag(bool value) => value ? "true" : "false";
}
