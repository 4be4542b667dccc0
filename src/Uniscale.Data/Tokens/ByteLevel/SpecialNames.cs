using System.Text.Json;

namespace Uniscale.Data;

/// <summary>
/// Names of the tokens that begin, end and pad texts: as tokenizer_config.json beside the model says, else as the model's own template
/// does, else those that are usual.
/// </summary>
/// <param name="Begin">Begin of text; null: none.</param>
/// <param name="End">End of text, the separator between documents.</param>
/// <param name="Padding">Padding.</param>
internal sealed record SpecialNames(string? Begin, string? End, string? Padding)
{
    private static readonly string[] Begins = ["<|begin_of_text|>", "<｜begin▁of▁sentence｜>", "<s>", "<bos>"],
        Ends = ["<|endoftext|>", "<|end_of_text|>", "<｜end▁of▁sentence｜>", "</s>", "<eos>"],
        Paddings = ["<|pad|>", "<pad>", "[PAD]"];

    /// <summary>The names for a model.</summary>
    /// <param name="path">Its file.</param>
    /// <param name="rules">What it says.</param>
    /// <exception cref="FormatException">The file beside it is damaged.</exception>
    public static SpecialNames Of(string path, ByteLevelRules rules)
    {
        string? Usual(string[] names) => Array.Find(names, name => rules.Added.Any(token => token.IsSpecial && token.Content == name));
        string beside = TokenizerFiles.ConfigurationOf(path);
        if (!File.Exists(beside))
            return new SpecialNames(rules.TextBegin ?? Usual(Begins), rules.TextEnd ?? Usual(Ends), Usual(Paddings));
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(beside));
            string? Named(string name) =>
                json.RootElement.Field(name) is { } value
                    ? value.ValueKind == JsonValueKind.String
                        ? value.GetString()
                        : value.Text("content")
                    : null;
            return new SpecialNames(
                Named("bos_token") ?? rules.TextBegin ?? Usual(Begins),
                Named("eos_token") ?? rules.TextEnd ?? Usual(Ends),
                Named("pad_token") ?? Usual(Paddings)
            );
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new FormatException(
                $"a {TokenizerFiles.ConfigurationName} beside it that is damaged ({error.Message.TrimEnd('.')})",
                error
            );
        }
    }
}
