using System.CommandLine;
using System.CommandLine.Parsing;
using Uniscale.Configuration.Schema;

namespace Uniscale.Cli;

/// <summary>
/// Numbers of the command line, read as those of configurations are: 10_000 and 1e4 are what they are there, and 0,7 is no number, which
/// .NET would take for 7.
/// </summary>
internal static class NumberOptions
{
    /// <summary>Gives every option of a command and of those below it that is a number the one reader of numbers.</summary>
    public static void ReadLikeConfigurations(Command command)
    {
        foreach (var option in command.Options)
            Read(option);
        foreach (var below in command.Subcommands)
            ReadLikeConfigurations(below);
    }

    private static void Read(Option option)
    {
        switch (option)
        {
            case Option<int> whole:
                whole.CustomParser = result => (int)Whole(result, int.MaxValue);
                break;
            case Option<int?> whole:
                whole.CustomParser = result => (int)Whole(result, int.MaxValue);
                break;
            case Option<long> whole:
                whole.CustomParser = result => Whole(result, long.MaxValue);
                break;
            case Option<long?> whole:
                whole.CustomParser = result => Whole(result, long.MaxValue);
                break;
            case Option<double> number:
                number.CustomParser = result => Number(result);
                break;
            case Option<double?> number:
                number.CustomParser = result => Number(result);
                break;
        }
    }

    private static double Number(ArgumentResult result) =>
        Quantity.TryParseNumber(Text(result), out double number) ? number : Refuse(result, "not a number");

    private static long Whole(ArgumentResult result, long most) =>
        !Quantity.TryParseWhole(Text(result), out long number) ? Refuse(result, "not a whole number")
        : Math.Abs((decimal)number) > most ? Refuse(result, $"beyond {most}")
        : number;

    private static int Refuse(ArgumentResult result, string why)
    {
        result.AddError($"The value '{Text(result)}' of '{((OptionResult)result.Parent!).Option.Name}' is {why}");
        return 0;
    }

    private static string Text(ArgumentResult result) => result.Tokens[0].Value;
}
