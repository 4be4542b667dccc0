using System.Text;

namespace Uniscale.Configuration.Schema;

/// <summary>Spelling: C# names to YAML names, and the nearest known name to a misspelt one.</summary>
public static class Names
{
    private const int LongestMeant = 100;

    /// <summary><c>KvHeads</c> to <c>kv_heads</c>.</summary>
    public static string Snake(string name) => Separated(name, '_');

    /// <summary><c>EveryKth</c> to <c>every-kth</c>.</summary>
    public static string Kebab(string name) => Separated(name, '-');

    /// <summary>The known name nearest to <paramref name="given"/>, or null where none is near enough to be meant.</summary>
    public static string? Nearest(string given, IEnumerable<string> known)
    {
        // Nobody misspells a name at such length, and the distance would take its square.
        if (given.Length > LongestMeant)
            return null;
        int limit = Math.Max(1, (given.Length + 1) / 3);
        return known
            .Select(name => (name, distance: Distance(given, name)))
            .Where(pair => pair.distance <= limit)
            .OrderBy(pair => pair.distance)
            .ThenBy(pair => pair.name, StringComparer.Ordinal)
            .Select(pair => pair.name)
            .FirstOrDefault();
    }

    /// <summary>"; did you mean 'x'?" or the list of what is known.</summary>
    public static string Hint(string given, IReadOnlyCollection<string> known)
    {
        string? nearest = Nearest(given, known);
        return nearest is not null ? $"; did you mean '{nearest}'?"
            : known.Count == 0 ? "; there are none."
            : $"; known are {string.Join(", ", known)}.";
    }

    /// <summary>
    /// Insertions, deletions, substitutions and swaps of neighbours that turn one text into the other
    /// (Damerau-Levenshtein, optimal string alignment; Boytsov, 2011).
    /// </summary>
    public static int Distance(string left, string right)
    {
        int[,] cost = new int[left.Length + 1, right.Length + 1];
        for (int i = 0; i <= left.Length; i++)
            cost[i, 0] = i;
        for (int j = 0; j <= right.Length; j++)
            cost[0, j] = j;
        for (int i = 1; i <= left.Length; i++)
            for (int j = 1; j <= right.Length; j++)
            {
                int substitution = cost[i - 1, j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
                int best = Math.Min(substitution, Math.Min(cost[i - 1, j], cost[i, j - 1]) + 1);
                if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
                    best = Math.Min(best, cost[i - 2, j - 2] + 1);
                cost[i, j] = best;
            }
        return cost[left.Length, right.Length];
    }

    private static string Separated(string name, char separator)
    {
        var builder = new StringBuilder(name.Length + 4);
        for (int i = 0; i < name.Length; i++)
        {
            bool startsWord =
                char.IsUpper(name[i]) && i > 0 && (!char.IsUpper(name[i - 1]) || (i + 1 < name.Length && char.IsLower(name[i + 1])));
            if (startsWord)
                builder.Append(separator);
            builder.Append(char.ToLowerInvariant(name[i]));
        }
        return builder.ToString();
    }
}
