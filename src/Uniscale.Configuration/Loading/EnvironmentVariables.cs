using System.Text;

namespace Uniscale.Configuration.Loading;

/// <summary>Substitution of <c>${VAR}</c> and <c>${VAR:-default}</c>; <c>$${</c> stands for a literal <c>${</c>.</summary>
internal static class EnvironmentVariables
{
    public static ConfigNode Substitute(ConfigNode node, Func<string, string?> lookup) => node switch
    {
        ScalarNode scalar when scalar.Text.Contains("${", StringComparison.Ordinal) =>
            scalar with { Text = Expand(scalar, lookup), Plain = true },
        ListNode list => list with { Items = [.. list.Items.Select(item => Substitute(item, lookup))] },
        MapNode map => map with { Entries = [.. map.Entries.Select(entry => entry with { Value = Substitute(entry.Value, lookup) })] },
        _ => node,
    };

    private static string Expand(ScalarNode scalar, Func<string, string?> lookup)
    {
        var text = scalar.Text;
        var result = new StringBuilder(text.Length);
        for (var position = 0; position < text.Length;)
        {
            if (text.AsSpan(position).StartsWith("$${"))
            {
                result.Append("${");
                position += 3;
            }
            else if (text.AsSpan(position).StartsWith("${"))
            {
                var close = text.IndexOf('}', position);
                if (close < 0)
                    throw new UserErrorException($"{scalar.Origin.Exact}: '{text}' has a ${{ without its }}; close it, or write $${{ for the characters themselves.");
                result.Append(Value(text[(position + 2)..close], scalar, lookup));
                position = close + 1;
            }
            else
            {
                result.Append(text[position++]);
            }
        }
        return result.ToString();
    }

    private static string Value(string reference, ScalarNode scalar, Func<string, string?> lookup)
    {
        var parts = reference.Split(":-", 2);
        var value = lookup(parts[0]);
        if (!string.IsNullOrEmpty(value))
            return value;
        return parts.Length == 2
            ? parts[1]
            : throw new UserErrorException(
                $"{scalar.Origin.Exact}: the environment variable {parts[0]} is not set; set it, or give a default: ${{{parts[0]}:-value}}.");
    }
}
