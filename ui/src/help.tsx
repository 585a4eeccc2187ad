import { PAGES } from "./pages";
import { Dialog } from "./parts";
import { session } from "./session";

const OTHER = [
  ["/", "search on this page"],
  ["?", "this list"],
  ["Esc", "close what is open"],
] as const;

export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Shortcuts" onClose={onClose}>
      <table class="table">
        <thead class="sr">
          <tr>
            <th scope="col">Keys</th>
            <th scope="col">What they do</th>
          </tr>
        </thead>
        <tbody>
          {PAGES.map((page) => (
            <tr key={page.id}>
              <td>
                <kbd>g</kbd> <kbd>{page.key}</kbd>
              </td>
              <td>{page.name}</td>
            </tr>
          ))}
          {OTHER.map(([key, what]) => (
            <tr key={key}>
              <td>
                <kbd>{key}</kbd>
              </td>
              <td>{what}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="soft small">Pointsman {session.value?.version}</p>
    </Dialog>
  );
}
