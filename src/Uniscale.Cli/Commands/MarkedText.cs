using System.Text;
using Uniscale.Data;

namespace Uniscale.Cli.Commands;

/// <summary>
/// Tokens as text that shows their marks: what is learned is green on a terminal and stands between ⟦ and ⟧ elsewhere, where a score is
/// read stands ★.
/// </summary>
internal static class MarkedText
{
    /// <summary>The text of tokens with their marks, for a console.</summary>
    public static string Of(ReadOnlySpan<int> tokens, ReadOnlySpan<TokenMarks> marks, Tokenizer tokenizer, TextWriter console)
    {
        bool colours =
            ReferenceEquals(console, Console.Out) && !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("NO_COLOR") is null;
        var (begin, end) = colours ? ("\u001b[32m", "\u001b[0m") : ("⟦", "⟧");
        var text = new StringBuilder();
        for (int start = 0, next; start < tokens.Length; start = next)
        {
            next = start + 1;
            while (next < tokens.Length && marks[next] == marks[start])
                next++;
            bool learned = marks[start].HasFlag(TokenMarks.Learned);
            text.Append(
                    marks[start].HasFlag(TokenMarks.Score) ? "★"
                    : learned ? begin
                    : ""
                )
                .Append(TextOf(tokens[start..next], tokenizer))
                .Append(learned ? end : "");
        }
        return text.ToString();
    }

    /// <summary>
    /// The text of tokens within a chat, control tokens by their names.
    /// </summary>
    private static string TextOf(ReadOnlySpan<int> tokens, Tokenizer tokenizer)
    {
        var text = new StringBuilder();
        for (int start = 0, next; start < tokens.Length; start = next)
        {
            next = start + 1;
            var first = tokenizer.PieceOf(tokens[start]);
            if (first.Kind == PieceKind.Control)
            {
                text.Append(first.Text);
                continue;
            }
            while (next < tokens.Length && tokenizer.PieceOf(tokens[next]).Kind != PieceKind.Control)
                next++;
            text.Append(tokenizer.DecodeWithin(tokens[start..next]));
        }
        return text.ToString();
    }
}
