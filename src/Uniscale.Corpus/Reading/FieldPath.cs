using Uniscale.Configuration;

namespace Uniscale.Corpus.Reading;

/// <summary>Where a value stands in a record: names set apart by points, [] behind a list whose items are all meant.</summary>
/// <param name="Steps">Each name, and whether it is a list.</param>
internal sealed record FieldPath(IReadOnlyList<FieldPath.Step> Steps)
{
    internal readonly record struct Step(string Name, bool IsEach);

    /// <summary>The first name.</summary>
    public string Root => Steps[0].Name;

    /// <exception cref="UserErrorException">It is no path.</exception>
    public static FieldPath Parse(string path)
    {
        Step[] steps =
        [
            .. path.Split('.')
                .Select(part => part.EndsWith("[]", StringComparison.Ordinal) ? new Step(part[..^2], true) : new Step(part, false)),
        ];
        return steps.Any(step => step.Name.Length == 0 || step.Name.AsSpan().ContainsAny("[]"))
            ? throw new UserErrorException(
                $"--text {path} is no path of fields: give names set apart by points, with [] behind a list, for example meta.body or messages[].content."
            )
            : new FieldPath(steps);
    }

    public override string ToString() => string.Join('.', Steps.Select(step => step.Name + (step.IsEach ? "[]" : "")));
}
