using System.Net;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Tests.Pages;

/// <summary>A dashboard over a folder, in this process, on a port of its own.</summary>
internal sealed class ServedRuns : IAsyncDisposable
{
    private readonly DashboardHost _host;

    private ServedRuns(DashboardHost host, HttpClient client) => (_host, Client) = (host, client);

    /// <summary>Asks it; follows no redirection.</summary>
    public HttpClient Client { get; }

    public static async Task<ServedRuns> Of(string folder, Func<DashboardOptions, DashboardOptions>? change = null)
    {
        var options = new DashboardOptions { Folder = folder, Port = 0 };
        var host = await DashboardHost.StartAsync(change is null ? options : change(options));
        var client = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false, UseCookies = false })
        {
            BaseAddress = new Uri(host.Address),
            Timeout = TimeSpan.FromSeconds(30),
        };
        return new ServedRuns(host, client);
    }

    /// <summary>A page that must be there.</summary>
    public async Task<string> Page(string address)
    {
        using var answer = await Client.GetAsync(address);
        string text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == HttpStatusCode.OK, $"{address}: {answer.StatusCode} {text}");
        return text;
    }

    /// <summary>The status of an answer.</summary>
    public async Task<HttpStatusCode> Status(string address)
    {
        using var answer = await Client.GetAsync(address);
        return answer.StatusCode;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _host.DisposeAsync();
    }
}
