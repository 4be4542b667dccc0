using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Uniscale.Checkpoints.HuggingFace;

/// <summary>
/// Writes a SentencePiece model as Hugging Face's AutoTokenizer reads it: <c>tokenizer.json</c>, whose rules give the same tokens, and
/// <c>tokenizer_config.json</c>, beside <c>tokenizer.model</c> itself. Without these it would rebuild the model from defaults that are
/// another model's.
/// </summary>
public static class TokenizerExport
{
    /// <summary>Name of a SentencePiece model in a folder.</summary>
    public const string ModelName = "tokenizer.model";

    /// <summary>Name of the file that AutoTokenizer reads.</summary>
    public const string FileName = "tokenizer.json";

    private const string Space = "\u2581";

    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>
    /// Writes the files. Throws <see cref="CheckpointException"/> for a model whose rules the other format does not have.
    /// </summary>
    /// <param name="path">The SentencePiece model.</param>
    /// <param name="folder">Receives the files.</param>
    /// <param name="context">Tokens in a sequence.</param>
    public static void Write(string path, string folder, int context)
    {
        var model = SentencePieceModel.Read(path);
        var rules = Rules(model, path);
        string target = Path.Combine(folder, ModelName);
        if (Path.GetFullPath(path) != Path.GetFullPath(target))
            File.Copy(path, target, overwrite: true);
        Save(folder, FileName, rules);
        Save(folder, "tokenizer_config.json", Configuration(model, context));
    }

    private static void Save(string folder, string name, JsonObject content) =>
        File.WriteAllText(Path.Combine(folder, name), content.ToJsonString(Json) + "\n");

    private static JsonObject Rules(SentencePieceModel model, string path)
    {
        if (
            model.SpaceIsSuffix
            || !model.EscapesSpaces
            || model.Algorithm is not (SentencePieceAlgorithm.Bpe or SentencePieceAlgorithm.Unigram)
        )
            throw new CheckpointException(
                $"{path} cuts text in a way that {FileName} cannot say ({model.Algorithm}{(model.SpaceIsSuffix ? ", spaces behind words" : "")})"
            );
        string[] symbols = Of(model, SentencePieceKind.UserDefined).Select(piece => piece.Text).ToArray();
        return new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray([
                .. model
                    .Pieces.Index()
                    .Where(piece => piece.Item.Kind is SentencePieceKind.Control or SentencePieceKind.Unknown)
                    .Select(piece => Special(piece.Index, piece.Item.Text)),
            ]),
            ["normalizer"] = Normalizer(model),
            ["pre_tokenizer"] = symbols.Length == 0 ? null : Splitter(model, symbols),
            ["post_processor"] = null,
            ["decoder"] = Decoder(model),
            ["model"] = model.Algorithm == SentencePieceAlgorithm.Bpe ? Bpe(model, symbols.Length > 0) : Unigram(model),
        };
    }

    private static IEnumerable<SentencePiece> Of(SentencePieceModel model, SentencePieceKind kind) =>
        model.Pieces.Where(piece => piece.Kind == kind);

    private static JsonObject Special(int id, string text) =>
        new()
        {
            ["id"] = id,
            ["content"] = text,
            ["single_word"] = false,
            ["lstrip"] = false,
            ["rstrip"] = false,
            ["normalized"] = false,
            ["special"] = true,
        };

    private static JsonObject Normalizer(SentencePieceModel model)
    {
        var steps = new JsonArray();
        if (model.Rewriting.Length > 0)
            steps.Add(new JsonObject { ["type"] = "Precompiled", ["precompiled_charsmap"] = Convert.ToBase64String(model.Rewriting) });
        if (model.RemovesSpaces)
        {
            steps.Add(
                new JsonObject
                {
                    ["type"] = "Replace",
                    ["pattern"] = new JsonObject { ["Regex"] = "^ +| +$" },
                    ["content"] = "",
                }
            );
            steps.Add(
                new JsonObject
                {
                    ["type"] = "Replace",
                    ["pattern"] = new JsonObject { ["Regex"] = " {2,}" },
                    ["content"] = " ",
                }
            );
        }
        if (model.AddsSpace)
            steps.Add(new JsonObject { ["type"] = "Prepend", ["prepend"] = Space });
        steps.Add(
            new JsonObject
            {
                ["type"] = "Replace",
                ["pattern"] = new JsonObject { ["String"] = " " },
                ["content"] = Space,
            }
        );
        return new JsonObject { ["type"] = "Sequence", ["normalizers"] = steps };
    }

    /// <summary>
    /// Symbols are cut out before all else, the longest first. As added tokens they would be, too, but each stretch between them would get
    /// a space in front. What
    /// spells a control or byte token and stands alone between symbols would be taken for it, so its first character is cut off.
    /// </summary>
    private static JsonObject Splitter(SentencePieceModel model, IEnumerable<string> symbols)
    {
        string symbol = string.Join(
            '|',
            symbols.Select(text => text.Replace(" ", Space, StringComparison.Ordinal)).OrderByDescending(text => text.Length).Select(Escape)
        );
        var spelled = model
            .Pieces.Where(piece =>
                piece.Kind is SentencePieceKind.Control or SentencePieceKind.Unknown or SentencePieceKind.Byte && piece.Text.Length > 1
            )
            .Select(piece => $"{Escape(piece.Text[..1])}(?={Escape(piece.Text[1..])}(?:$|{symbol}))");
        return new JsonObject
        {
            ["type"] = "Split",
            ["pattern"] = new JsonObject { ["Regex"] = $"{symbol}|(?:^|(?<={symbol}))(?:{string.Join('|', spelled)})" },
            ["behavior"] = "Isolated",
            ["invert"] = false,
        };
    }

    /// <summary>A text as a pattern of the regular expressions that the other library has.</summary>
    private static string Escape(string text) =>
        Regex.Escape(text).Replace("]", "\\]", StringComparison.Ordinal).Replace("}", "\\}", StringComparison.Ordinal);

    private static JsonObject Decoder(SentencePieceModel model)
    {
        var steps = new JsonArray(
            new JsonObject
            {
                ["type"] = "Replace",
                ["pattern"] = new JsonObject { ["String"] = Space },
                ["content"] = " ",
            },
            new JsonObject { ["type"] = "ByteFallback" },
            new JsonObject { ["type"] = "Fuse" }
        );
        if (model.AddsSpace)
            steps.Add(
                new JsonObject
                {
                    ["type"] = "Strip",
                    ["content"] = " ",
                    ["start"] = 1,
                    ["stop"] = 0,
                }
            );
        return new JsonObject { ["type"] = "Sequence", ["decoders"] = steps };
    }

    private static JsonObject Bpe(SentencePieceModel model, bool takesWholePieces)
    {
        var vocabulary = new JsonObject();
        foreach (var (id, piece) in model.Pieces.Index())
            vocabulary[piece.Text] = id;
        return new JsonObject
        {
            ["type"] = "BPE",
            ["dropout"] = null,
            ["unk_token"] = Of(model, SentencePieceKind.Unknown).FirstOrDefault()?.Text,
            ["continuing_subword_prefix"] = null,
            ["end_of_word_suffix"] = null,
            ["fuse_unk"] = true,
            ["byte_fallback"] = model.ByteFallback,
            ["ignore_merges"] = takesWholePieces,
            ["vocab"] = vocabulary,
            ["merges"] = Merges(model),
        };
    }

    /// <summary>
    /// SentencePiece joins any two neighbours that make a piece, the piece with the highest score first. So every way to cut a piece in two
    /// pieces is a merge,
    /// in the order of the scores.
    /// </summary>
    private static JsonArray Merges(SentencePieceModel model)
    {
        var known = Of(model, SentencePieceKind.Normal).Select(piece => piece.Text).ToHashSet(StringComparer.Ordinal);
        var merges = Of(model, SentencePieceKind.Normal)
            .OrderByDescending(piece => piece.Score)
            .SelectMany(piece => Cuts(piece.Text).Where(cut => known.Contains(cut.Left) && known.Contains(cut.Right)))
            .ToArray();
        // Older readers know pairs as one text with a space between.
        return merges.Any(merge =>
            merge.Left.Contains(' ', StringComparison.Ordinal) || merge.Right.Contains(' ', StringComparison.Ordinal)
        )
            ? new JsonArray([.. merges.Select(merge => new JsonArray(merge.Left, merge.Right))])
            : new JsonArray([.. merges.Select(merge => JsonValue.Create($"{merge.Left} {merge.Right}"))]);
    }

    private static IEnumerable<(string Left, string Right)> Cuts(string piece)
    {
        for (int at = 1; at < piece.Length; at++)
            if (!char.IsLowSurrogate(piece[at]))
                yield return (piece[..at], piece[at..]);
    }

    private static JsonObject Unigram(SentencePieceModel model) =>
        new()
        {
            ["type"] = "Unigram",
            ["unk_id"] = model.Pieces.FindIndex(piece => piece.Kind == SentencePieceKind.Unknown) is >= 0 and var unknown ? unknown : null,
            ["vocab"] = new JsonArray([
                .. model.Pieces.Select(piece => new JsonArray(
                    piece.Text,
                    JsonValue.Create(decimal.Parse(piece.Score.ToString("F9", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture))
                )),
            ]),
            ["byte_fallback"] = model.ByteFallback,
        };

    private static JsonObject Configuration(SentencePieceModel model, int context)
    {
        string? Control(params string[] names) =>
            names.FirstOrDefault(name => Of(model, SentencePieceKind.Control).Any(piece => piece.Text == name));
        return new JsonObject
        {
            ["tokenizer_class"] = "PreTrainedTokenizerFast",
            ["model_max_length"] = context,
            ["bos_token"] = Control("<s>", "<bos>", "<|begin_of_text|>"),
            ["eos_token"] = Control("</s>", "<eos>", "<|endoftext|>", "<|end_of_text|>"),
            ["pad_token"] = Control("<pad>", "<|pad|>"),
            ["unk_token"] = Of(model, SentencePieceKind.Unknown).FirstOrDefault()?.Text,
            ["add_bos_token"] = false,
            ["add_eos_token"] = false,
            // A text that spells a control token is text, as it was in training.
            ["split_special_tokens"] = true,
            ["clean_up_tokenization_spaces"] = false,
        };
    }
}
