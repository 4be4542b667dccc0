using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;
using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration.Loading;

/// <summary>Single values as YAML text that reads back as the same value.</summary>
internal static partial class ScalarText
{
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Of(ValueSchema schema, object? value) =>
        value switch
        {
            null => "null",
            bool truth => truth ? "true" : "false",
            double number => Number(number),
            TimeSpan duration => Number(duration.TotalSeconds) + "s",
            Enum choice => schema.Choices.First(known => known.Value.Equals(choice)).Name,
            string text => Text(text),
            _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        };

    public static string Text(string text)
    {
        string escaped = text.Replace("${", "$${", StringComparison.Ordinal);
        bool plain =
            PlainPattern().IsMatch(escaped) && escaped is not ("null" or "true" or "false") && !Quantity.TryParseNumber(escaped, out _);
        return plain ? escaped : Quoted(escaped);
    }

    /// <summary>A text in quotes, as a value that is not searched for variables.</summary>
    public static string Quoted(string text) => JsonSerializer.Serialize(text, Readable);

    private static string Number(double number) => Quantity.Format(number).Replace("E", "e", StringComparison.Ordinal);

    [GeneratedRegex(@"^[0-9A-Za-z_./][\w./*+-]*$")]
    private static partial Regex PlainPattern();
}
